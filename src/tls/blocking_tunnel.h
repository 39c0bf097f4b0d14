// BlockingTunnel: a Tunnel for a program without a loop. A thread of its own carries the bytes.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "tls/context.h"

namespace flotilla::tls {

class BlockingTunnel {
 public:
  // The client's side of a connected socket, after the handshake. Blocks. Errors: a clause about
  // the peer, as Tunnel's.
  static base::Result<std::unique_ptr<BlockingTunnel>> connect(
      std::shared_ptr<const Context> context, base::Fd socket, const std::string& host);
  // Ends the connection.
  ~BlockingTunnel();
  BlockingTunnel(const BlockingTunnel&) = delete;
  BlockingTunnel& operator=(const BlockingTunnel&) = delete;

  // The plain socket; the caller's. Once.
  base::Fd take_plain();
  // As Tunnel::failure().
  std::string failure() const;

 private:
  struct Impl;
  explicit BlockingTunnel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::tls
