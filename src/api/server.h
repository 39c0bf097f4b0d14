// The HTTP server: listening sockets on one side, Api on the other. HTTP/1.1 with kept connections;
// idle ones cost their memory and nothing else.
//
// Owned by fleetd's composition; loop thread only. Limits: 16 KiB of head, 4 MiB of body; a peer
// that stops in the middle of a request or does not take its answer is dropped after 30 s. With
// 10,000 connections a new one takes the place of the one that is idle for the longest, or else of
// the one that is in the middle of its request for the longest. All bodies and answers that are
// under way may have 256 MiB together; what would be more is answered 503.
//
// A server can hand its connections to another one, in the same process: pause(), then
// take_connections(). Whoever was between two requests, or in the head of one, notices nothing.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/api.h"
#include "base/fd.h"
#include "overlord/loop.h"

namespace flotilla::api {

// A connection between two servers, and what has been read of its next request.
struct Connection {
  base::Fd fd;
  std::string received;
  Role role = Role::kAdmin;
};

// How many answers were given since the start, by method ("other" for unusual ones) and status.
using Answers = std::map<std::pair<std::string_view, int>, uint64_t>;

struct ServerLimits {
  size_t connections = 10'000;
  size_t held_bytes = size_t{256} << 20;
  std::chrono::milliseconds stalled{30'000};
};

class Server {
 public:
  // Requires: `loop` and `api` outlive the Server. `listeners` are non-blocking listening sockets.
  Server(overlord::AsioLoop& loop, Api& api, std::vector<base::Fd> listeners,
         ServerLimits limits = {});
  // Closes the listeners and every connection.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  size_t connections() const;
  const Answers& answers() const;

  // Begins no request any more: whoever connects or asks waits. Calls `done` in a later turn, when
  // no request is under way.
  void pause(std::function<void()> done);
  // Serves these too; while it is paused, afterwards.
  void adopt(std::vector<Connection> connections);
  // Goes on, with whoever has waited.
  void resume();
  // The connections that no request is under way on; they are the caller's. Requires: paused.
  std::vector<Connection> take_connections();

  class Impl;  // session.h

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::api
