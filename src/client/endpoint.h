// Where an API listens, read from --endpoint: unix:///path, http://host[:port],
// https://host[:port]. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tls/context.h"

namespace flotilla::client {

struct Endpoint {
  // kCommand: the API is spoken over the standard input and output of a command, as through ssh.
  enum class Kind { kUnix, kTcp, kCommand };
  Kind kind = Kind::kUnix;
  std::string path;  // of the socket
  std::string host;
  std::string port;
  std::vector<std::string> command;  // its words
  std::string shown;                 // what messages call it
  bool is_tls = false;               // inside of that; the server is `host`
  tls::Files tls;                    // who we are and whom we believe

  bool operator==(const Endpoint&) const = default;
};

// Errors: kInvalid with the texts of fleetctl ("URL scheme undefined").
base::Result<Endpoint> parse_endpoint(std::string_view text);

// A list with commas between. Blanks and empty entries are passed over; at least one is needed.
base::Result<std::vector<Endpoint>> parse_endpoints(std::string_view text);

// As it is shown in messages.
std::string describe(const Endpoint& endpoint);

}  // namespace flotilla::client
