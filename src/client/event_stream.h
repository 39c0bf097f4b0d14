// The server-sent events of the API, as a sign that something changed: what happened is not read,
// since who waits looks again anyway. Has a connection of its own.
#pragma once

#include <chrono>
#include <optional>

#include "base/result.h"
#include "client/connection.h"

namespace flotilla::client {

class EventStream {
 public:
  // Waits until something may have changed since the last call, or for `at_most`. The first call,
  // and the first after a broken connection, returns as soon as the stream is open. Errors:
  // kUnsupported if the server has no events, kUnavailable if it cannot be reached.
  base::Status wait(const Endpoint& endpoint, std::chrono::milliseconds at_most);

 private:
  base::Status open(const Endpoint& endpoint, std::chrono::milliseconds at_most);

  std::optional<Connection> connection_;
};

}  // namespace flotilla::client
