#include "api/peer_client.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

#include "api/peer_address.h"
#include "overlord/loop_asio.h"
#include "tls/tunnel.h"

namespace flotilla::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr size_t kMaxAnswer = size_t{4} << 20;
constexpr size_t kPieceBytes = size_t{16} << 10;
// What a slow client has not taken yet; the other machine waits then.
constexpr size_t kMaxPending = size_t{256} << 10;

// A silent peer is asked for a sign of life after 10 s, and then every 5 s.
void keep_looking(int fd) {
  const auto set = [fd](int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

std::string describe_error(const ErrorCode& error) {
  if (error == beast::error::timeout || error == asio::error::timed_out) {
    return "it did not answer in time";
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::error::eof) {
    return "it hung up";
  }
  return error.message();
}

}  // namespace

// One request and its answer. Kept alive by its operations, then by the stream that reads it.
//
//   connecting -> asking -> answered as a whole
//                        \-> answered with a text, read piece by piece as fast as it is taken
class PeerClient::Call : public std::enable_shared_from_this<PeerClient::Call> {
 public:
  Call(asio::io_context& io, std::shared_ptr<std::unordered_set<Call*>> calls,
       std::shared_ptr<const tls::Context> tls, PeerRequest request, Respond respond)
      : io_(io),
        tls_(std::move(tls)),
        request_(std::move(request)),
        respond_(std::move(respond)),
        calls_(std::move(calls)),
        resolver_(io),
        connecting_(io) {
    calls_->insert(this);
  }
  ~Call() { calls_->erase(this); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void start(const std::string& self, const PeerLimits& limits);
  // Ends it without an answer.
  void drop();

  void on_more(std::function<void()> ready) { ready_ = std::move(ready); }
  // Appends what has come of the text; false at its end.
  bool take(std::string& out);

 private:
  using Stream = beast::basic_stream<asio::generic::stream_protocol>;

  void connect(const std::vector<tcp::endpoint>& addresses);
  void on_connected(const ErrorCode& error);
  void on_encrypted(base::Result<tls::Opened> opened);
  void send_request();
  void on_head(const ErrorCode& error);
  void read_more();
  void on_piece(const ErrorCode& error);
  Response head_of(int status) const;
  // Why it broke; the tunnel knows more than its plain end.
  std::string describe(const ErrorCode& error) const {
    const std::string why = tunnel_ ? tunnel_->failure() : std::string();
    return why.empty() ? describe_error(error) : why;
  }
  void fail(const std::string& why);
  void answer(Response response);

  asio::io_context& io_;
  const std::shared_ptr<const tls::Context> tls_;
  const PeerRequest request_;
  Respond respond_;
  const std::shared_ptr<std::unordered_set<Call*>> calls_;
  PeerLimits limits_;
  PeerAddress address_;
  std::string bytes_;  // of the request
  tcp::resolver resolver_;
  tcp::socket connecting_;
  std::optional<asio::steady_timer> deadline_;  // of the connecting
  std::shared_ptr<tls::Tunnel> tunnel_;         // between the peer and stream_
  std::optional<Stream> stream_;
  beast::flat_buffer buffer_{kMaxAnswer};
  std::optional<http::response_parser<http::buffer_body>> parser_;
  std::array<char, kPieceBytes> piece_{};
  std::string body_;
  std::function<void()> ready_;
  bool is_sent_ = false;  // as far as is known here: the other machine may have got it
  bool is_reading_ = false;
  bool is_over_ = false;
};

namespace {

// The text of another machine, for the client that asked for it.
template <typename Call>
class ForwardedText final : public BodyStream {
 public:
  explicit ForwardedText(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  ~ForwardedText() override { call_->drop(); }
  ForwardedText(const ForwardedText&) = delete;
  ForwardedText& operator=(const ForwardedText&) = delete;

  void start(std::function<void()> ready) override { call_->on_more(std::move(ready)); }
  bool read(std::string& out) override { return call_->take(out); }

 private:
  const std::shared_ptr<Call> call_;
};

}  // namespace

void PeerClient::Call::start(const std::string& self, const PeerLimits& limits) {
  limits_ = limits;
  base::Result<PeerAddress> address = parse_peer_address(request_.address);
  if (!address) {
    return asio::post(connecting_.get_executor(),
                      [self = shared_from_this()] { self->fail("that is no address of an API"); });
  }
  address_ = std::move(*address);
  bytes_ = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: fleetd\r\n{}: {}\r\nConnection: close\r\n{}\r\n",
      request_.method, request_.target, address_.host, kForwardedBy, self,
      request_.method == "GET" ? "" : "Content-Length: 0\r\n");
  deadline_.emplace(connecting_.get_executor(), limits_.connecting);
  deadline_->async_wait([weak = weak_from_this()](const ErrorCode& error) {
    const auto call = weak.lock();
    if (error || !call) return;
    call->resolver_.cancel();
    ErrorCode ignored;
    call->connecting_.close(ignored);
    call->fail("it did not accept the connection in time");
  });
  if (address_.is_tls && !tls_) {
    return asio::post(io_, [self = shared_from_this()] {
      self->fail("this fleetd has no certificate of its own (api_certfile=)");
    });
  }
  ErrorCode is_name;
  const asio::ip::address ip = asio::ip::make_address(address_.host, is_name);
  if (!is_name) return connect({{ip, static_cast<uint16_t>(std::stoi(address_.port))}});
  resolver_.async_resolve(address_.host, address_.port,
                          [self = shared_from_this()](const ErrorCode& error,
                                                      const tcp::resolver::results_type& found) {
                            if (error) return self->fail(error.message());
                            std::vector<tcp::endpoint> addresses;
                            for (const auto& entry : found) addresses.push_back(entry.endpoint());
                            self->connect(addresses);
                          });
}

void PeerClient::Call::connect(const std::vector<tcp::endpoint>& addresses) {
  // Asio keeps iterators: the addresses live as long as the operation.
  auto kept = std::make_shared<std::vector<tcp::endpoint>>(addresses);
  asio::async_connect(
      connecting_, kept->begin(), kept->end(),
      [self = shared_from_this(), kept](const ErrorCode& error, const auto& /*which*/) {
        self->on_connected(error);
      });
}

void PeerClient::Call::on_connected(const ErrorCode& error) {
  if (!respond_) return;
  deadline_.reset();
  if (error) return fail(error.message());
  keep_looking(connecting_.native_handle());
  if (!address_.is_tls) {
    stream_.emplace(asio::generic::stream_protocol::socket(std::move(connecting_)));
    return send_request();
  }
  ErrorCode unreleased;
  base::Fd fd(connecting_.release(unreleased));
  if (unreleased) return fail(unreleased.message());
  tunnel_ = tls::Tunnel::connect(io_, tls_, std::move(fd), address_.host,
                                 [self = shared_from_this()](base::Result<tls::Opened> opened) {
                                   self->on_encrypted(std::move(opened));
                                 });
}

void PeerClient::Call::on_encrypted(base::Result<tls::Opened> opened) {
  if (!respond_) return;
  if (!opened) return fail(opened.error().message);
  stream_.emplace(io_);
  ErrorCode error;
  stream_->socket().assign(asio::generic::stream_protocol(AF_UNIX, 0), opened->plain.get(), error);
  if (error) return fail(error.message());
  opened->plain.release();
  send_request();
}

void PeerClient::Call::send_request() {
  is_sent_ = true;
  if (request_.answer == PeerRequest::Answer::kWhenDone) {
    stream_->expires_never();
  } else {
    stream_->expires_after(limits_.answering);
  }
  asio::async_write(
      *stream_, asio::buffer(bytes_), [self = shared_from_this()](const ErrorCode& failed, size_t) {
        // A peer that refuses us may have said why.
        if (failed && !self->tunnel_) return self->fail(self->describe(failed));
        self->parser_.emplace();
        self->parser_->body_limit(boost::none);
        http::async_read_header(*self->stream_, self->buffer_, *self->parser_,
                                [self](const ErrorCode& unread, size_t) { self->on_head(unread); });
      });
}

Response PeerClient::Call::head_of(int status) const {
  Response response;
  response.status = status;
  const auto type = parser_->get()[http::field::content_type];
  if (!type.empty()) response.headers.emplace_back("Content-Type", std::string(type));
  return response;
}

void PeerClient::Call::on_head(const ErrorCode& error) {
  if (error) return fail(describe(error));
  if (request_.answer == PeerRequest::Answer::kText && parser_->get().result_int() == 200) {
    stream_->expires_never();
    Response response = head_of(200);
    response.stream = std::make_shared<ForwardedText<Call>>(shared_from_this());
    is_reading_ = true;  // the first piece is asked for below, whatever is taken meanwhile
    answer(std::move(response));
    is_reading_ = false;
    return read_more();
  }
  read_more();
}

void PeerClient::Call::read_more() {
  if (is_reading_ || is_over_) return;
  is_reading_ = true;
  if (parser_->is_done()) {
    return asio::post(stream_->get_executor(), [self = shared_from_this()] { self->on_piece({}); });
  }
  parser_->get().body().data = piece_.data();
  parser_->get().body().size = piece_.size();
  parser_->get().body().more = true;
  http::async_read_some(
      *stream_, buffer_, *parser_,
      [self = shared_from_this()](const ErrorCode& error, size_t) { self->on_piece(error); });
}

void PeerClient::Call::on_piece(const ErrorCode& error) {
  is_reading_ = false;
  if (is_over_) return;
  const bool is_failed = error && error != http::error::need_buffer;
  if (!parser_->is_done() || !is_failed) {
    const auto& body = parser_->get().body();
    if (body.data != nullptr) body_.append(piece_.data(), piece_.size() - body.size);
    parser_->get().body().data = nullptr;
  }
  const bool is_text = !respond_;
  is_over_ = is_failed || parser_->is_done();
  if (is_failed && !is_text) return fail(describe(error));
  if (is_failed) {
    body_ += fmt::format("-- The text from machine {} ended early: {} --\n", request_.machine,
                         describe(error));
  }
  if (is_text) {
    if (ready_) ready_();
    if (body_.size() < kMaxPending) read_more();
    return;
  }
  if (body_.size() > kMaxAnswer) return fail("its answer is too large");
  if (!is_over_) return read_more();
  Response response = head_of(static_cast<int>(parser_->get().result_int()));
  response.body = std::move(body_);
  answer(std::move(response));
}

bool PeerClient::Call::take(std::string& out) {
  out += body_;
  body_.clear();
  if (is_over_) return false;
  read_more();
  return true;
}

void PeerClient::Call::answer(Response response) {
  if (respond_) std::exchange(respond_, nullptr)(std::move(response));
}

void PeerClient::Call::fail(const std::string& why) {
  is_over_ = true;
  deadline_.reset();
  // 503 says that nothing was done: who gets it may try another way.
  const bool is_open = is_sent_ && request_.method != "GET";
  answer(error_response(
      is_open ? 504 : 503,
      fmt::format("unit runs on machine {}, whose API at {} {}: {}", request_.machine,
                  request_.address, is_open ? "did not answer" : "cannot be used", why)));
}

void PeerClient::Call::drop() {
  is_over_ = true;
  respond_ = nullptr;
  ready_ = nullptr;
  deadline_.reset();
  resolver_.cancel();
  ErrorCode ignored;
  connecting_.close(ignored);
  if (stream_) stream_->close();
  if (tunnel_) tunnel_->close();
}

PeerClient::PeerClient(overlord::AsioLoop& loop, std::string self,
                       std::shared_ptr<const tls::Context> tls, PeerLimits limits)
    : loop_(loop),
      self_(std::move(self)),
      tls_(std::move(tls)),
      limits_(limits),
      calls_(std::make_shared<std::unordered_set<Call*>>()) {}

PeerClient::~PeerClient() {
  const std::unordered_set<Call*> calls = *calls_;
  for (Call* call : calls) call->drop();
}

void PeerClient::ask(const PeerRequest& request, Respond respond) {
  std::make_shared<Call>(overlord::io_context_of(loop_), calls_, tls_, request, std::move(respond))
      ->start(self_, limits_);
}

}  // namespace flotilla::api
