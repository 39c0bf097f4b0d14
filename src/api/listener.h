// The sockets the API listens on: handed over by whoever started us (LISTEN_FDS, sd_listen_fds(3)),
// or our own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace flotilla::api {

// An address as in the configuration: "/path" or "unix:///path" for a unix socket, "HOST:PORT" or
// "http://HOST:PORT" for TCP. Until the API knows users and roles, TCP is for loopback addresses
// only.
struct ListenAddress {
  bool is_unix = true;
  bool is_tls = false;
  std::string path;
  std::string host;
  std::string port;
};
base::Result<ListenAddress> parse_listen_address(std::string_view text);

// A listening socket. A unix socket gets mode 0660 and replaces a left-over file on which nobody
// listens; kAlreadyExists if somebody does.
base::Result<base::Fd> open_listener(const ListenAddress& address);

// Every socket from descriptor 3 on that LISTEN_FDS counts, if LISTEN_PID is this process; none
// otherwise. The variables are left as they are.
base::Result<std::vector<base::Fd>> inherited_listeners();

}  // namespace flotilla::api
