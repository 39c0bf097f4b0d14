#include "client/event_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace flotilla::client {
namespace {

constexpr size_t kMaxHeader = 16384;

// Appends what has come within the time; false if nothing has. An end of the stream is an error.
base::Result<bool> read_some(int fd, std::chrono::milliseconds at_most, std::string& text) {
  pollfd waiting{fd, POLLIN, 0};
  const int ready = poll(&waiting, 1, static_cast<int>(at_most.count()));
  if (ready < 0 && errno != EINTR) return base::system_error(errno, "wait for events");
  if (ready <= 0) return false;
  char piece[4096];
  const ssize_t got = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) return base::unavailable("the events of the API have ended");
  text.append(piece, static_cast<size_t>(got));
  return true;
}

}  // namespace

base::Status EventStream::open(const Endpoint& endpoint, std::chrono::milliseconds at_most) {
  FLOTILLA_ASSIGN(Connection connection, Connection::open(endpoint));
  const std::string request =
      "GET /fleet/v1/events HTTP/1.1\r\nHost: fleet\r\nUser-Agent: fleetctl\r\n"
      "Accept: text/event-stream\r\n\r\n";
  if (send(connection.fd(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return base::unavailable("cannot ask for the events of the API");
  }
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    if (head.size() > kMaxHeader) return base::too_large("the header of the API's events");
    FLOTILLA_ASSIGN(const bool came, read_some(connection.fd(), at_most, head));
    if (!came) return base::unavailable("the API does not open its events in time");
  }
  if (head.compare(0, 13, "HTTP/1.1 200 ") != 0) {
    return base::unsupported("the server has no events");
  }
  connection_ = std::move(connection);
  return {};
}

base::Status EventStream::wait(const Endpoint& endpoint, std::chrono::milliseconds at_most) {
  if (!connection_) return open(endpoint, std::max(at_most, std::chrono::milliseconds(1000)));
  std::string text;
  const base::Result<bool> came = read_some(connection_->fd(), at_most, text);
  if (!came) {
    connection_.reset();
    return base::unexpected(came.error());
  }
  return {};
}

}  // namespace flotilla::client
