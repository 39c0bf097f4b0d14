// Where a machine's API answers others, as it is announced: http://HOST:PORT, https://HOST:PORT, or
// HOST:PORT for http. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::api {

struct PeerAddress {
  std::string host;  // a name or an IP address, without brackets
  std::string port;
  bool is_tls = false;

  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

// Errors: kInvalid.
base::Result<PeerAddress> parse_peer_address(std::string_view text);
// https://HOST:PORT, an IPv6 address in brackets.
std::string to_string(const PeerAddress& address);

}  // namespace flotilla::api
