#include "api/server.h"

#include <sys/socket.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <optional>
#include <unordered_set>

#include "base/version.h"
#include "overlord/loop_asio.h"

namespace flotilla::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

constexpr size_t kMaxHeader = size_t{16} << 10;
constexpr size_t kMaxBody = size_t{4} << 20;
constexpr size_t kMaxConnections = 10'000;
constexpr std::chrono::seconds kStalled{30};
constexpr std::chrono::seconds kLingering{5};
constexpr size_t kScrapBytes = size_t{64} << 10;
constexpr std::chrono::milliseconds kAcceptRest{100};
constexpr std::string_view kMalformed = "malformed HTTP request";

// What was sent is no HTTP; false if the peer only left in the middle of it.
bool is_malformed(error_code error) {
  return error && error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

class Session;

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(overlord::AsioLoop& loop, Api& api)
      : io(overlord::io_context_of(loop)), event_loop(loop), the_api(api) {}

  void listen(base::Fd fd);
  void close();

  asio::io_context& io;
  overlord::AsioLoop& event_loop;
  Api& the_api;
  bool closed = false;
  std::unordered_set<Session*> sessions;

 private:
  struct Listener {
    base::Fd fd;
    base::RegistrationPtr watch;
    base::RegistrationPtr rest;  // armed while accepting is paused
  };
  void accept_all(Listener& listener);
  void watch(Listener& listener);

  std::vector<std::unique_ptr<Listener>> listeners_;
};

// One connection. Kept alive by its outstanding operations.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Server::Impl> server, Socket socket)
      : server_(std::move(server)), stream_(std::move(socket)) {
    server_->sessions.insert(this);
  }
  ~Session() { server_->sessions.erase(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read_request();
  void read_header();
  void close() {
    closed_ = true;
    stream_.close();
  }

 private:
  void on_header(error_code error);
  void read_body();
  void on_request();
  void refuse(int status, std::string_view message);
  void refuse_body() {
    refuse(413, fmt::format("the body of the request has more than {} bytes", kMaxBody));
  }
  void send(Response response);
  void send_stream(Response response);
  void send_piece();
  void watch_peer();
  void finish(bool keep);
  void drain();
  bool is_old_http() const { return parser_->get().version() < 11; }

  std::shared_ptr<Server::Impl> server_;
  beast::basic_stream<asio::generic::stream_protocol> stream_;
  beast::flat_buffer buffer_{kMaxHeader + kMaxBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response<http::empty_body>> head_;
  std::optional<http::response_serializer<http::empty_body>> head_serializer_;
  std::shared_ptr<BodyStream> body_stream_;
  std::string piece_;
  bool is_head_request_ = false;
  bool is_chunked_ = true;
  bool sending_ = false;
  bool closed_ = false;
  bool peer_gone_ = false;
  bool is_refused_ = false;
};

void Server::Impl::listen(base::Fd fd) {
  listeners_.push_back(std::make_unique<Listener>());
  listeners_.back()->fd = std::move(fd);
  watch(*listeners_.back());
}

void Server::Impl::watch(Listener& listener) {
  listener.watch = event_loop.watch(listener.fd.get(), 1U /* EPOLLIN */,
                                    [this, &listener](uint32_t) { accept_all(listener); });
}

void Server::Impl::accept_all(Listener& listener) {
  for (;;) {
    if (sessions.size() < kMaxConnections) {
      const int fd = accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        int domain = AF_UNIX;
        socklen_t size = sizeof domain;
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        Socket socket(io);
        error_code error;
        socket.assign(asio::generic::stream_protocol(domain, 0), fd, error);
        std::make_shared<Session>(shared_from_this(), std::move(socket))->read_request();
        continue;
      }
      if (errno == EAGAIN) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
    }
    // Out of descriptors, memory or places: whoever waits stays in the backlog for a moment.
    listener.watch.reset();
    listener.rest = event_loop.after(kAcceptRest, [this, &listener] { watch(listener); });
    return;
  }
}

void Server::Impl::close() {
  closed = true;
  listeners_.clear();
  const std::unordered_set<Session*> open = sessions;
  for (Session* session : open) session->close();
}

void Session::read_request() {
  if (closed_) return;
  parser_.emplace();
  parser_->header_limit(kMaxHeader);
  parser_->body_limit(kMaxBody);
  if (buffer_.size() > 0) return read_header();
  // An idle connection may stay; the time runs from the first byte of a request on.
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    if (error) return self->finish(false);
    self->read_header();
  });
}

void Session::read_header() {
  if (closed_) return;
  stream_.expires_after(kStalled);
  http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->on_header(error); });
}

void Session::on_header(error_code error) {
  if (closed_) return;
  if (error == http::error::header_limit) {
    return refuse(431, "the header of the request is too large");
  }
  if (error == http::error::body_limit) return refuse_body();
  if (error) {
    if (is_malformed(error)) return refuse(400, kMalformed);
    return finish(false);
  }
  is_head_request_ = parser_->get().method() == http::verb::head;
  if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
    auto line = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
    stream_.expires_after(kStalled);
    asio::async_write(stream_, asio::buffer(*line),
                      [self = shared_from_this(), line](error_code failed, size_t) {
                        if (failed) return self->finish(false);
                        self->read_body();
                      });
    return;
  }
  read_body();
}

void Session::read_body() {
  if (closed_) return;
  stream_.expires_after(kStalled);
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, size_t) {
                     if (error == http::error::body_limit) return self->refuse_body();
                     if (is_malformed(error)) return self->refuse(400, kMalformed);
                     if (error) return self->finish(false);
                     self->on_request();
                   });
}

void Session::on_request() {
  if (closed_) return;
  stream_.expires_never();
  const auto& message = parser_->get();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  const auto types = message.equal_range(http::field::content_type);
  for (auto type = types.first; type != types.second; ++type)
    request.content_types.emplace_back(type->value());
  request.last_event_id = std::string(message["Last-Event-ID"]);
  request.body = std::move(parser_->get().body());
  server_->the_api.handle(std::move(request), [self = shared_from_this()](Response response) {
    self->send(std::move(response));
  });
  // A peer that leaves while we wait for the store is noticed when the answer is written.
}

// Answers what was no proper request and ends the connection: where the next one begins is unknown.
void Session::refuse(int status, std::string_view message) {
  is_refused_ = true;
  parser_.emplace();
  parser_->get().keep_alive(false);
  parser_->get().version(11);
  send(error_response(status, message));
}

void Session::send(Response response) {
  if (closed_) return;
  if (response.stream) return send_stream(std::move(response));
  response_.emplace();
  response_->version(11);
  response_->result(static_cast<unsigned>(response.status));
  if (response.is_ours)
    response_->set(http::field::server, std::string("fleetd/") + base::kVersion);
  for (const auto& [name, value] : response.headers) response_->insert(name, value);
  const bool keep = parser_->get().keep_alive() && !server_->closed;
  response_->keep_alive(keep);
  if (keep && is_old_http()) response_->set(http::field::connection, "keep-alive");
  const bool has_no_body = response.status == 204;
  if (!has_no_body) response_->content_length(response.body.size());
  if (!has_no_body && !is_head_request_) response_->body() = std::move(response.body);
  stream_.expires_after(kStalled);
  http::async_write(stream_, *response_,
                    [self = shared_from_this(), keep](error_code error, size_t) {
                      self->finish(!error && keep);
                    });
}

void Session::send_stream(Response response) {
  body_stream_ = std::move(response.stream);
  head_.emplace();
  head_->version(11);
  head_->result(static_cast<unsigned>(response.status));
  if (response.is_ours) head_->set(http::field::server, std::string("fleetd/") + base::kVersion);
  for (const auto& [name, value] : response.headers) head_->insert(name, value);
  head_->keep_alive(false);
  // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
  is_chunked_ = !is_old_http();
  head_->chunked(is_chunked_);
  head_serializer_.emplace(*head_);
  stream_.expires_after(kStalled);
  sending_ = true;
  http::async_write_header(stream_, *head_serializer_,
                           [self = shared_from_this()](error_code error, size_t) {
                             self->sending_ = false;
                             if (error || self->closed_) return self->finish(false);
                             self->stream_.expires_never();
                             self->watch_peer();
                             self->body_stream_->start([weak = self->weak_from_this()] {
                               if (const auto session = weak.lock()) session->send_piece();
                             });
                             self->send_piece();
                           });
}

// Nothing is expected from the peer while a stream runs: what comes, its end included, ends the
// stream.
void Session::watch_peer() {
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->peer_gone_ = true;
    if (error || self->closed_ || self->sending_) return;
    self->body_stream_.reset();
    self->finish(false);
  });
}

void Session::send_piece() {
  if (sending_ || closed_ || !body_stream_) return;
  if (peer_gone_) {
    body_stream_.reset();
    return finish(false);
  }
  piece_.clear();
  const bool more = body_stream_->read(piece_);
  if (piece_.empty() && more) return;  // read again when the stream says so
  if (is_chunked_) {
    std::string framed;
    if (!piece_.empty()) framed = fmt::format("{:x}\r\n{}\r\n", piece_.size(), piece_);
    if (!more) framed += "0\r\n\r\n";
    piece_ = std::move(framed);
  }
  sending_ = true;
  stream_.expires_after(kStalled);
  asio::async_write(stream_, asio::buffer(piece_),
                    [self = shared_from_this(), more](error_code error, size_t) {
                      self->sending_ = false;
                      if (error || !more || self->closed_) {
                        self->body_stream_.reset();
                        return self->finish(false);
                      }
                      self->stream_.expires_never();
                      self->send_piece();
                    });
}

void Session::finish(bool keep) {
  if (closed_) return;
  if (keep) {
    response_.reset();
    return read_request();
  }
  error_code ignored;
  stream_.socket().shutdown(Socket::shutdown_send, ignored);
  if (std::exchange(is_refused_, false)) {
    stream_.expires_after(kLingering);
    piece_.resize(kScrapBytes);
    return drain();
  }
  closed_ = true;
  stream_.close();
}

// A peer that still sends the rest of what was refused must be able to: a connection closed before
// that is reset, and takes the answer with it.
void Session::drain() {
  stream_.async_read_some(asio::buffer(piece_),
                          [self = shared_from_this()](error_code error, size_t) {
                            if (error || self->closed_) return self->finish(false);
                            self->drain();
                          });
}

Server::Server(overlord::AsioLoop& loop, Api& api, std::vector<base::Fd> listeners)
    : impl_(std::make_shared<Impl>(loop, api)) {
  for (base::Fd& listener : listeners) impl_->listen(std::move(listener));
}

Server::~Server() { impl_->close(); }

size_t Server::connections() const { return impl_->sessions.size(); }

}  // namespace flotilla::api
