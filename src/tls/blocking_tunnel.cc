#include "tls/blocking_tunnel.h"

#include <fcntl.h>
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "tls/tunnel.h"

namespace flotilla::tls {

struct BlockingTunnel::Impl {
  boost::asio::io_context io;
  std::shared_ptr<Tunnel> tunnel;
  std::optional<base::Result<Opened>> opened;
  std::thread thread;
};

BlockingTunnel::BlockingTunnel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

base::Result<std::unique_ptr<BlockingTunnel>> BlockingTunnel::connect(
    std::shared_ptr<const Context> context, base::Fd socket, const std::string& host) {
  fcntl(socket.get(), F_SETFL, fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  auto impl = std::make_unique<Impl>();
  impl->tunnel = Tunnel::connect(
      impl->io, std::move(context), std::move(socket), host,
      [&impl](base::Result<Opened> opened) { impl->opened.emplace(std::move(opened)); });
  while (!impl->opened && impl->io.run_one() > 0) {
  }
  if (!impl->opened) return base::internal("the handshake of TLS has no end");
  if (!*impl->opened) return base::unexpected(std::move(*impl->opened).error());
  // Signals are for the program's own thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl->thread = std::thread([&io = impl->io] { io.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return std::unique_ptr<BlockingTunnel>(new BlockingTunnel(std::move(impl)));
}

BlockingTunnel::~BlockingTunnel() {
  impl_->io.stop();
  impl_->thread.join();
  impl_->tunnel->close();
}

base::Fd BlockingTunnel::take_plain() { return std::move((*impl_->opened)->plain); }
std::string BlockingTunnel::failure() const { return impl_->tunnel->failure(); }

}  // namespace flotilla::tls
