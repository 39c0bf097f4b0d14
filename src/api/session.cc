#include "api/session.h"

#include <fmt/format.h>

#include <boost/asio/write.hpp>
#include <ctime>
#include <utility>

#include "api/peer_api.h"
#include "api/request_head.h"
#include "base/version.h"

namespace flotilla::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr size_t kMaxHead = size_t{16} << 10;
constexpr size_t kMaxBody = size_t{4} << 20;
constexpr size_t kReadBytes = 4096;
// Answers up to this size are given however much is under way.
constexpr size_t kSmallAnswer = size_t{16} << 10;
constexpr std::chrono::seconds kLingering{5};
constexpr size_t kScrapBytes = size_t{16} << 10;
constexpr std::string_view kMalformed = "malformed HTTP request";
constexpr std::string_view kTooBusy = "too much data is under way at once; try again";

// What was sent is no HTTP; false if the peer only left in the middle of it.
bool is_malformed(ErrorCode error) {
  return error && error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

std::string http_date(base::WallTime now) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(now.since_epoch).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char stamp[64];
  return {stamp, std::strftime(stamp, sizeof stamp, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

template <typename Message>
void set_head(Message& message, const Response& response, base::WallTime now) {
  message.version(11);
  message.result(static_cast<unsigned>(response.status));
  message.set(http::field::date, http_date(now));
  if (response.is_ours) {
    message.set(http::field::server, std::string("fleetd/") + base::kVersion);
  }
  for (const auto& [name, value] : response.headers) message.insert(name, value);
}

}  // namespace

Session::Session(std::shared_ptr<Server::Impl> server, Socket socket, std::string_view received,
                 Role role)
    : server_(std::move(server)), role_(role), stream_(std::move(socket)) {
  buffer_.max_size(4 * kMaxHead);
  buffer_.commit(asio::buffer_copy(buffer_.prepare(received.size()),
                                   asio::buffer(received.data(), received.size())));
  server_->sessions.insert(this);
  ++server_->open;
}

Session::~Session() {
  if (!is_closed_) close();
  server_->sessions.erase(this);
}

void Session::close() {
  if (is_closed_) return;
  is_closed_ = true;
  body_stream_.reset();
  hold(0);
  leave();
  --server_->open;
  stream_.close();
  set_busy(false);
}

void Session::enter(std::list<Session*>& list) {
  leave();
  list_ = &list;
  place_ = list.insert(list.end(), this);
}

void Session::leave() {
  if (list_ != nullptr) list_->erase(place_);
  list_ = nullptr;
}

void Session::set_busy(bool is_busy) {
  if (is_busy == is_busy_) return;
  is_busy_ = is_busy;
  if (is_busy) {
    ++server_->busy;
  } else {
    --server_->busy;
    server_->settle();
  }
}

void Session::hold(size_t bytes) {
  server_->held_bytes += bytes;
  server_->held_bytes -= std::exchange(held_, bytes);
}

void Session::park() {
  if (is_draining_) return close();
  if (is_busy_) {
    if (body_stream_) end_stream();
    return;
  }
  wait_parked();
  ErrorCode ignored;
  stream_.socket().cancel(ignored);
}

void Session::wait_parked() {
  is_parked_ = true;
  leave();
  stream_.expires_never();
  server_->parked.push_back(shared_from_this());
}

std::optional<Connection> Session::hand_over() {
  if (is_closed_) return std::nullopt;
  Connection connection;
  connection.role = role_;
  const auto bytes = buffer_.data();
  connection.received.assign(static_cast<const char*>(bytes.data()), bytes.size());
  Socket socket = stream_.release_socket();
  ErrorCode error;
  const int fd = socket.release(error);
  close();
  if (error) return std::nullopt;
  connection.fd.reset(fd);
  return connection;
}

// --- Reading ---

void Session::read_request() {
  if (is_closed_) return;
  parser_.reset();
  response_.reset();
  is_parked_ = false;
  if (server_->is_paused) return wait_parked();
  if (buffer_.size() > 0) return read_head();
  buffer_.shrink_to_fit();
  enter(server_->idle);
  // An idle connection may stay; the time runs from the first byte of a request on.
  stream_.expires_never();
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode error) {
    if (self->is_closed_ || self->is_parked_) return;
    if (error) return self->finish(false);
    self->read_head();
  });
}

void Session::read_head() {
  enter(server_->reading);
  stream_.expires_after(server_->limits.stalled);
  on_head_bytes({}, 0);
}

void Session::on_head_bytes(ErrorCode error, size_t count) {
  if (is_closed_) return;
  buffer_.commit(count);
  if (is_parked_) return;
  if (error) return finish(false);
  if (take_head()) return on_head();
  if (is_closed_ || is_refused_) return;
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](ErrorCode failed, size_t more) {
                            self->on_head_bytes(failed, more);
                          });
}

// Whether the head is whole and the parser has it. If not, more has to come, or it was refused.
bool Session::take_head() {
  const auto received = [this] {
    const auto bytes = buffer_.data();
    return std::string_view(static_cast<const char*>(bytes.data()), bytes.size());
  };
  if (searched_ == 0) buffer_.consume(leading_line_ends(received()));
  const size_t length = head_length(received(), searched_);
  if (length > kMaxHead || (length == 0 && buffer_.size() > kMaxHead)) {
    refuse(431, "the header of the request is too large");
    return false;
  }
  searched_ = buffer_.size();
  if (length == 0) return false;
  searched_ = 0;
  const std::string head = with_crlf(received().substr(0, length));
  buffer_.consume(length);
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(2 * kMaxHead));
  parser_->body_limit(kMaxBody);
  ErrorCode error;
  parser_->put(asio::buffer(head), error);
  if (error == http::error::body_limit) {
    refuse_body();
  } else if (error || !parser_->is_header_done()) {
    refuse(400, kMalformed);
  }
  return !is_refused_;
}

// Framing that is not plainly one thing is refused: whoever passed the request on may have read
// another one.
std::optional<std::pair<int, std::string_view>> Session::wrong_framing() const {
  const auto& head = parser_->get();
  if (head.count(http::field::host) > 1) return std::pair(400, kMalformed);
  const auto codings = head.count(http::field::transfer_encoding);
  if (codings > 0) {
    if (is_old_http()) return std::pair(400, kMalformed);
    if (codings > 1 || !beast::iequals(head[http::field::transfer_encoding], "chunked")) {
      return std::pair(501, std::string_view("the only transfer encoding here is \"chunked\""));
    }
  }
  const auto expected = head[http::field::expect];
  if (!expected.empty() && !beast::iequals(expected, "100-continue")) {
    return std::pair(417, std::string_view("only 100-continue can be expected"));
  }
  return std::nullopt;
}

// Whether the peer waits to be told that it may send its body.
bool Session::is_peer_waiting() const {
  const auto& head = parser_->get();
  const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
  return has_body && !is_old_http() && buffer_.size() == 0 &&
         beast::iequals(head[http::field::expect], "100-continue");
}

void Session::on_head() {
  set_busy(true);
  if (const auto wrong = wrong_framing()) return refuse(wrong->first, wrong->second);
  is_head_request_ = parser_->get().method() == http::verb::head;
  const size_t announced =
      parser_->chunked() ? kMaxBody : static_cast<size_t>(parser_->content_length().value_or(0));
  if (announced > kReadBytes && server_->held_bytes + announced > server_->limits.held_bytes) {
    return refuse(503, kTooBusy);
  }
  hold(announced);
  if (!is_peer_waiting()) return read_body();
  auto line = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
  asio::async_write(stream_, asio::buffer(*line),
                    [self = shared_from_this(), line](ErrorCode failed, size_t) {
                      if (failed) return self->finish(false);
                      self->read_body();
                    });
}

void Session::read_body() {
  if (is_closed_) return;
  stream_.expires_after(server_->limits.stalled);
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](ErrorCode error, size_t) {
                     if (self->is_closed_) return;
                     if (error == http::error::body_limit) return self->refuse_body();
                     if (is_malformed(error)) return self->refuse(400, kMalformed);
                     if (error) return self->finish(false);
                     self->on_request();
                   });
}

void Session::on_request() {
  leave();
  stream_.expires_never();
  const auto& message = parser_->get();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  const auto types = message.equal_range(http::field::content_type);
  for (auto type = types.first; type != types.second; ++type) {
    request.content_types.emplace_back(type->value());
  }
  request.last_event_id = std::string(message["Last-Event-ID"]);
  request.forwarded_by = std::string(message[kForwardedBy]);
  request.role = role_;
  request.body = std::move(parser_->get().body());
  server_->the_api.handle(
      request, [self = shared_from_this()](Response response) { self->send(std::move(response)); });
  // A peer that leaves while we wait for the store is noticed when the answer is written.
}

void Session::refuse_body() {
  refuse(413, fmt::format("the body of the request has more than {} bytes", kMaxBody));
}

// Answers what was no proper request and ends the connection: where the next one begins is unknown.
void Session::refuse(int status, std::string_view message) {
  set_busy(true);
  is_refused_ = true;
  parser_.emplace();
  parser_->get().keep_alive(false);
  parser_->get().version(11);
  send(error_response(status, message));
}

// --- Answering ---

void Session::send(Response response) {
  if (is_closed_) return;
  if (response.stream) return send_stream(std::move(response));
  count_answer(response.status);
  hold(0);
  if (response.body.size() > kSmallAnswer &&
      server_->held_bytes + response.body.size() > server_->limits.held_bytes) {
    response = error_response(503, kTooBusy);
  }
  hold(response.body.size());
  response_.emplace();
  set_head(*response_, response, server_->event_loop.clock().wall());
  const bool keep = parser_->get().keep_alive() && !server_->is_closed;
  response_->keep_alive(keep);
  if (keep && is_old_http()) response_->set(http::field::connection, "keep-alive");
  const bool has_no_body = response.status == 204;
  if (!has_no_body) response_->content_length(response.body.size());
  if (!has_no_body && !is_head_request_) response_->body() = std::move(response.body);
  stream_.expires_after(server_->limits.stalled);
  http::async_write(
      stream_, *response_,
      [self = shared_from_this(), keep](ErrorCode error, size_t) { self->finish(!error && keep); });
}

void Session::count_answer(int status) {
  // What a stranger calls a method is not remembered.
  std::string_view method = "other";
  for (const std::string_view known : {"GET", "PUT", "DELETE", "PATCH", "POST", "HEAD"}) {
    if (parser_->get().method_string() == known) method = known;
  }
  ++server_->answers[{method, status}];
}

void Session::send_stream(Response response) {
  count_answer(response.status);
  hold(0);
  if (server_->is_paused) response.stream.reset();
  body_stream_ = std::move(response.stream);
  head_.emplace();
  set_head(*head_, response, server_->event_loop.clock().wall());
  head_->keep_alive(false);
  // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
  is_chunked_ = !is_old_http();
  head_->chunked(is_chunked_);
  head_serializer_.emplace(*head_);
  stream_.expires_after(server_->limits.stalled);
  is_sending_ = true;
  http::async_write_header(stream_, *head_serializer_,
                           [self = shared_from_this()](ErrorCode error, size_t) {
                             self->is_sending_ = false;
                             if (error || self->is_closed_) return self->finish(false);
                             if (!self->body_stream_) return self->end_stream();
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
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode error) {
    self->is_peer_gone_ = true;
    if (error || self->is_closed_ || self->is_sending_) return;
    self->body_stream_.reset();
    self->finish(false);
  });
}

void Session::send_piece() {
  if (is_sending_ || is_closed_ || !body_stream_) return;
  if (is_peer_gone_) {
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
  is_sending_ = true;
  stream_.expires_after(server_->limits.stalled);
  asio::async_write(stream_, asio::buffer(piece_),
                    [self = shared_from_this(), more](ErrorCode error, size_t) {
                      self->is_sending_ = false;
                      if (error || !more || self->is_closed_) {
                        self->body_stream_.reset();
                        return self->finish(false);
                      }
                      self->stream_.expires_never();
                      // It was ended while this piece was under way.
                      if (!self->body_stream_) return self->end_stream();
                      self->send_piece();
                    });
}

// Ends the body properly, so that the client knows that it has all there was.
void Session::end_stream() {
  body_stream_.reset();
  if (is_sending_ || is_closed_) return;
  if (!is_chunked_ || is_peer_gone_) return finish(false);
  is_sending_ = true;
  piece_ = "0\r\n\r\n";
  stream_.expires_after(server_->limits.stalled);
  asio::async_write(stream_, asio::buffer(piece_),
                    [self = shared_from_this()](ErrorCode, size_t) { self->finish(false); });
}

void Session::finish(bool keep) {
  if (is_closed_) return;
  hold(0);
  if (keep) {
    set_busy(false);
    return read_request();
  }
  leave();
  ErrorCode ignored;
  stream_.socket().shutdown(Socket::shutdown_send, ignored);
  if (std::exchange(is_refused_, false)) {
    stream_.expires_after(kLingering);
    piece_.resize(kScrapBytes);
    is_draining_ = true;
    set_busy(false);
    enter(server_->reading);
    return drain();
  }
  close();
}

// A peer that still sends the rest of what was refused must be able to: a connection closed before
// that is reset, and takes the answer with it.
void Session::drain() {
  stream_.async_read_some(asio::buffer(piece_),
                          [self = shared_from_this()](ErrorCode error, size_t) {
                            if (error || self->is_closed_) return self->close();
                            self->drain();
                          });
}

}  // namespace flotilla::api
