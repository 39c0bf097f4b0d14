// A connected stream to an endpoint: a socket, or a pair of sockets whose other end is a command's
// standard input and output. Owned by who speaks over it; closing it ends the command.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "client/endpoint.h"

namespace flotilla::client {

class Connection {
 public:
  // Blocks. Errors: kUnavailable if nobody listens or the command cannot be started.
  static base::Result<Connection> open(const Endpoint& endpoint);

  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  int fd() const noexcept { return fd_.get(); }

 private:
  Connection(base::Fd fd, pid_t child) : fd_(std::move(fd)), child_(child) {}
  void close() noexcept;

  base::Fd fd_;
  pid_t child_ = -1;
};

}  // namespace flotilla::client
