// The HTTP server: listening sockets on one side, Api on the other. HTTP/1.1 with kept connections;
// idle ones cost their memory and nothing else.
//
// Owned by fleetd's composition; loop thread only. Limits: 16 KiB of header, 4 MiB of body, 10,000
// connections; a peer that stops in the middle of a request or does not take its answer is dropped
// after 30 s.
#pragma once

#include <memory>
#include <vector>

#include "api/api.h"
#include "base/fd.h"
#include "overlord/loop.h"

namespace flotilla::api {

class Server {
 public:
  // Requires: `loop` and `api` outlive the Server. `listeners` are non-blocking listening sockets.
  Server(overlord::AsioLoop& loop, Api& api, std::vector<base::Fd> listeners);
  // Closes the listeners and every connection.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  size_t connections() const;

  class Impl;  // server.cc

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::api
