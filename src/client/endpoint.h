// Where an API listens, read from --endpoint: unix:///path, http://host[:port]. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::client {

struct Endpoint {
  enum class Kind { kUnix, kTcp };
  Kind kind = Kind::kUnix;
  std::string path;  // of the socket
  std::string host;
  std::string port;
};

// Errors: kInvalid with the texts of fleetctl ("URL scheme undefined").
base::Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace flotilla::client
