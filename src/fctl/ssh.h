// The command lines of the system's ssh client that fleetctl's flags ask for. Pure, but for the
// folder of the known hosts, which ssh does not make itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/endpoint.h"
#include "fctl/environment.h"
#include "fctl/flags.h"

namespace flotilla::fctl {

struct SshSettings {
  std::string user;
  int timeout_seconds = 10;
  bool checks_host_keys = true;
  std::string known_hosts;  // a file
  std::string tunnel;       // host[:port] of the bastion, or empty
  bool forwards_agent = false;
  int port = 22;  // of the machines, where their address names none
};

// From the flags; makes the folder of the known hosts. Errors: kInvalid for a port out of range.
base::Result<SshSettings> ssh_settings(const Flags& flags, const Environment& environment);

// ssh to an address ("host", "host:port", "[v6]:port"), through the tunnel if there is one. An
// empty remote command is a shell.
std::vector<std::string> ssh_command(const SshSettings& settings, std::string_view address,
                                     const std::string& remote_command);

// The endpoint as it is reached from the bastion.
client::Endpoint tunnelled(const SshSettings& settings, const client::Endpoint& endpoint);

// A remote command line: the first word as it is, the others in double quotes.
std::string remote_command_of(const std::vector<std::string>& words);

}  // namespace flotilla::fctl
