// fleetctl from its words to its exit code, but for the things a process has only once: they are
// passed in.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/fleet_api.h"
#include "fctl/output.h"
#include "fctl/pacer.h"

namespace flotilla::fctl {

struct Environment {
  Output& output;
  Pacer& pacer;
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<base::Result<std::string>(const std::string& path)> read_file;
  // The client of an endpoint; errors are shown behind "Unable to initialize client: ".
  std::function<base::Result<std::unique_ptr<client::FleetApi>>(const std::string& endpoint)>
      connect;
};

// Exit codes: 0 done, 1 failed, 2 wrong usage; that of `systemctl status` for status.
int run(const std::vector<std::string>& words, const Environment& environment);

}  // namespace flotilla::fctl
