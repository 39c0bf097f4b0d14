// Tunnel: an encrypted connection as a plain socket. It speaks TLS on one side and carries the
// bytes to and from a socket pair, so that whoever reads and writes HTTP knows nothing of TLS.
//
// Lives on the thread of its io_context, kept alive by its operations until it ends. The end of the
// plain socket, also of what is written to it alone, ends it, and close(). What either side does
// not take, the other is not read for. A handshake that takes 10 s or a peer that takes nothing for
// 30 s ends it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "tls/context.h"

namespace boost::asio {
class io_context;
}

namespace flotilla::tls {

// After the handshake.
struct Opened {
  base::Fd plain;
  std::vector<std::string> names;  // of the peer's certificate: its common name, its DNS names
};

class Tunnel {
 public:
  using Done = std::function<void(base::Result<Opened>)>;
  virtual ~Tunnel() = default;

  // The server's side of a connected, non-blocking socket. `done` is called once, in a later turn,
  // unless close() comes first. Errors: kDenied or kUnavailable, with a clause about the peer: "its
  // certificate has expired".
  static std::shared_ptr<Tunnel> accept(boost::asio::io_context& io,
                                        std::shared_ptr<const Context> context, base::Fd socket,
                                        Done done);
  // The client's side: the peer must have a certificate for `host`, a name or an IP address.
  static std::shared_ptr<Tunnel> connect(boost::asio::io_context& io,
                                         std::shared_ptr<const Context> context, base::Fd socket,
                                         const std::string& host, Done done);

  virtual void close() = 0;
  // Why it broke, as a clause about the peer; empty as long as it has not, or where it just ended.
  // Set before the plain socket ends. In TLS 1.3 a client learns here that its certificate is
  // refused. Any thread.
  virtual std::string failure() const = 0;
  // Called when all is closed. Before that: whoever sets it must outlive the tunnel or close it.
  std::function<void()> on_end;
};

}  // namespace flotilla::tls
