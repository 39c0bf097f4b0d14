// A connected stream to an endpoint: a socket, or a pair of sockets whose other end is a command's
// standard input and output. TLS is spoken behind it where the endpoint asks for that. Owned by who
// speaks over it; closing it ends the command.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "client/endpoint.h"

namespace flotilla::tls {
class BlockingTunnel;
}

namespace flotilla::client {

class Connection {
 public:
  // Blocks. Errors: kUnavailable if nobody listens, the command cannot be started, or one
  // side does not accept the other's certificate.
  static base::Result<Connection> open(const Endpoint& endpoint);

  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  int fd() const noexcept { return fd_.get(); }
  // Why it broke, as a clause about the server; empty where nothing is known but that it did.
  std::string failure() const;

 private:
  Connection(base::Fd fd, pid_t child);
  base::Status encrypt(const Endpoint& endpoint);
  void close() noexcept;

  std::unique_ptr<tls::BlockingTunnel> tunnel_;  // between the server and fd_
  base::Fd fd_;
  pid_t child_ = -1;
};

}  // namespace flotilla::client
