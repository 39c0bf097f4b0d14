#include "tls/tunnel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <mutex>
#include <utility>

#include "tls/context_impl.h"
#include "tls/describe.h"

namespace flotilla::tls {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

constexpr std::chrono::seconds kHandshake{10};
constexpr std::chrono::seconds kStalled{30};
constexpr std::chrono::seconds kLingering{5};
constexpr size_t kPieceBytes = size_t{16} << 10;

base::Status adopt(Socket& socket, base::Fd fd) {
  int domain = AF_UNIX;
  socklen_t size = sizeof domain;
  getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
  ErrorCode error;
  socket.assign(asio::generic::stream_protocol(domain, 0), fd.get(), error);
  if (error) return base::internal("cannot use a socket: {}", error.message());
  fd.release();
  return {};
}

class TunnelImpl final : public Tunnel, public std::enable_shared_from_this<TunnelImpl> {
 public:
  TunnelImpl(asio::io_context& io, std::shared_ptr<const Context> context, Done done)
      : context_(std::move(context)),
        done_(std::move(done)),
        secure_(io, context_->impl().ssl),
        plain_(io),
        deadline_(io) {}

  // `host` is empty on the server's side.
  void start(base::Fd socket, const std::string& host);
  void close() override;
  std::string failure() const override {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  base::Status expect_host(const std::string& host);
  void on_handshake(const ErrorCode& error);
  void carry_in();
  void on_in_end(const ErrorCode& error);
  void carry_out();
  void on_out_end();
  void say_goodbye();
  void linger();
  void drain();
  void set_deadline(std::chrono::seconds time);
  void fail(const std::string& why);
  void answer(base::Result<Opened> result) {
    if (done_) std::exchange(done_, nullptr)(std::move(result));
  }
  void note_failure(const ErrorCode& error) {
    const std::lock_guard lock(mutex_);
    if (failure_.empty()) failure_ = describe_failure(secure_.native_handle(), error);
  }

  const std::shared_ptr<const Context> context_;
  Done done_;
  asio::ssl::stream<Socket> secure_;
  Socket plain_;
  asio::steady_timer deadline_;  // of the handshake, then of each piece that is sent
  std::array<char, kPieceBytes> in_{};
  std::array<char, kPieceBytes> out_{};
  bool is_in_over_ = false;
  bool is_out_over_ = false;
  bool is_closed_ = false;
  mutable std::mutex mutex_;
  std::string failure_;
};

void TunnelImpl::start(base::Fd socket, const std::string& host) {
  base::Status usable = adopt(secure_.next_layer(), std::move(socket));
  if (usable && !host.empty()) usable = expect_host(host);
  if (!usable) {
    return asio::post(secure_.get_executor(), [self = shared_from_this(), error = usable.error()] {
      self->fail(error.message);
    });
  }
  set_deadline(kHandshake);
  secure_.async_handshake(
      host.empty() ? asio::ssl::stream_base::server : asio::ssl::stream_base::client,
      [self = shared_from_this()](const ErrorCode& error) { self->on_handshake(error); });
}

base::Status TunnelImpl::expect_host(const std::string& host) {
  SSL* const ssl = secure_.native_handle();
  ErrorCode is_name;
  asio::ip::make_address(host, is_name);
  const bool is_set = is_name
                          ? SSL_set1_host(ssl, host.c_str()) == 1 &&
                                SSL_set_tlsext_host_name(ssl, host.c_str()) == 1
                          : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  if (is_set) return {};
  return base::invalid("\"{}\" cannot be the name of a certificate", host);
}

void TunnelImpl::set_deadline(std::chrono::seconds time) {
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this()](const ErrorCode& error) {
    const auto self = weak.lock();
    if (error || !self || self->is_closed_) return;
    self->answer(base::unavailable("it did not finish the handshake of TLS in time"));
    self->close();
  });
}

void TunnelImpl::on_handshake(const ErrorCode& error) {
  if (is_closed_) return;
  deadline_.cancel();
  if (error) {
    note_failure(error);
    answer(base::denied("{}", failure()));
    return linger();  // so that the peer gets to know why
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail("no sockets are left: " + base::describe_errno(errno));
  }
  base::Fd theirs(ends[1]);
  if (const base::Status usable = adopt(plain_, base::Fd(ends[0])); !usable) {
    return fail(usable.error().message);
  }
  Opened opened{std::move(theirs), names_of_peer(secure_.native_handle())};
  carry_in();
  carry_out();
  answer(std::move(opened));
}

void TunnelImpl::carry_in() {
  if (is_closed_) return;
  if (is_out_over_) return say_goodbye();
  secure_.async_read_some(
      asio::buffer(in_), [self = shared_from_this()](const ErrorCode& error, size_t count) {
        if (self->is_closed_) return;
        if (self->is_out_over_) return self->say_goodbye();
        if (error) return self->on_in_end(error);
        asio::async_write(self->plain_, asio::buffer(self->in_.data(), count),
                          // A reader that has gone is noticed by carry_out().
                          [self](const ErrorCode&, size_t) { self->carry_in(); });
      });
}

void TunnelImpl::on_in_end(const ErrorCode& error) {
  note_failure(error);
  is_in_over_ = true;
  ErrorCode ignored;
  plain_.shutdown(Socket::shutdown_send, ignored);
  // A peer that is gone takes nothing any more either.
  if (is_out_over_ || error != asio::error::eof) close();
}

void TunnelImpl::carry_out() {
  plain_.async_read_some(asio::buffer(out_),
                         [self = shared_from_this()](const ErrorCode& error, size_t count) {
                           if (self->is_closed_) return;
                           if (error) return self->on_out_end();
                           self->set_deadline(kStalled);
                           asio::async_write(self->secure_, asio::buffer(self->out_.data(), count),
                                             [self](const ErrorCode& unsent, size_t) {
                                               if (self->is_closed_) return;
                                               self->deadline_.cancel();
                                               // Why is told by what the peer has sent: carry_in()
                                               // reads it.
                                               if (unsent) return self->set_deadline(kLingering);
                                               self->carry_out();
                                             });
                         });
}

void TunnelImpl::on_out_end() {
  is_out_over_ = true;
  if (is_in_over_) return close();
  // carry_in() may be reading or writing: either ends, and it goes on with the goodbye.
  set_deadline(kLingering);
  ErrorCode ignored;
  plain_.close(ignored);
  secure_.next_layer().cancel(ignored);
}

void TunnelImpl::say_goodbye() {
  secure_.async_shutdown([self = shared_from_this()](const ErrorCode&) {
    if (!self->is_closed_) self->linger();
  });
}

// A connection that is closed while the peer still sends is reset, and takes what was said with it.
void TunnelImpl::linger() {
  ErrorCode ignored;
  secure_.next_layer().shutdown(Socket::shutdown_send, ignored);
  set_deadline(kLingering);
  drain();
}

void TunnelImpl::drain() {
  secure_.next_layer().async_read_some(asio::buffer(in_),
                                       [self = shared_from_this()](const ErrorCode& error, size_t) {
                                         if (self->is_closed_) return;
                                         if (error) return self->close();
                                         self->drain();
                                       });
}

void TunnelImpl::fail(const std::string& why) {
  answer(base::unavailable("{}", why));
  close();
}

void TunnelImpl::close() {
  if (is_closed_) return;
  is_closed_ = true;
  done_ = nullptr;
  deadline_.cancel();
  ErrorCode ignored;
  plain_.close(ignored);
  secure_.next_layer().close(ignored);
  if (on_end) std::exchange(on_end, nullptr)();
}

}  // namespace

std::shared_ptr<Tunnel> Tunnel::accept(asio::io_context& io, std::shared_ptr<const Context> context,
                                       base::Fd socket, Done done) {
  auto tunnel = std::make_shared<TunnelImpl>(io, std::move(context), std::move(done));
  tunnel->start(std::move(socket), {});
  return tunnel;
}

std::shared_ptr<Tunnel> Tunnel::connect(asio::io_context& io,
                                        std::shared_ptr<const Context> context, base::Fd socket,
                                        const std::string& host, Done done) {
  auto tunnel = std::make_shared<TunnelImpl>(io, std::move(context), std::move(done));
  tunnel->start(std::move(socket), host);
  return tunnel;
}

}  // namespace flotilla::tls
