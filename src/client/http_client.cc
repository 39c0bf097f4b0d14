#include "client/http_client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "client/connection.h"

namespace flotilla::client {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr size_t kMaxBody = size_t{64} << 20;
// What is sent before the first answer is read: little enough that neither side waits for the
// other's full buffer.
constexpr size_t kWindowRequests = 64;
constexpr size_t kWindowBytes = size_t{64} << 10;

std::string bytes_of(const HttpRequest& request, const Endpoint& endpoint) {
  std::string text = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: fleetctl\r\n", request.method, request.target,
      endpoint.kind == Endpoint::Kind::kTcp || endpoint.is_tls ? endpoint.host : "domain-sock");
  if (!request.json_body.empty()) {
    text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                        request.json_body.size());
  } else if (request.method != "GET") {
    text += "Content-Length: 0\r\n";
  }
  return text + "\r\n" + request.json_body;
}

}  // namespace

// One connection as Beast reads it.
class HttpClient::Wire {
 public:
  explicit Wire(Connection connection) : connection_(std::move(connection)) {
    // Asio owns a descriptor of its own, so that closing the connection can end its command.
    socket_.assign(asio::generic::stream_protocol(AF_UNIX, 0),
                   fcntl(connection_.fd(), F_DUPFD_CLOEXEC, 0));
  }

  // Whether the server has closed it while nothing was asked.
  bool is_stale() const {
    char byte = 0;
    return recv(connection_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }

  // Why it broke: the server's certificate, or ours, tells more than the end of the connection.
  std::string describe_end(const error_code& error) const {
    const std::string why = connection_.failure();
    return why.empty() ? error.message() : why;
  }

  Connection connection_;
  asio::io_context context_;
  asio::generic::stream_protocol::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
  bool used_ = false;
};

HttpClient::HttpClient(std::vector<Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
HttpClient::~HttpClient() = default;

void HttpClient::use_next() {
  wire_.reset();
  current_ = (current_ + 1) % endpoints_.size();
}

base::Status HttpClient::connect() {
  if (wire_) return {};
  base::Error error;
  for (size_t tries = 0; tries < endpoints_.size(); ++tries) {
    base::Result<Connection> opened = Connection::open(endpoint());
    if (opened) {
      wire_ = std::make_unique<Wire>(std::move(*opened));
      return {};
    }
    if (tries == 0) {
      error = opened.error();
    } else {
      error.message += "; " + opened.error().message;
    }
    use_next();
  }
  return base::unexpected(std::move(error));
}

base::Result<HttpResponse> HttpClient::request(std::string_view method, const std::string& target,
                                               const std::string& json_body) {
  const HttpRequest request{std::string(method), target, json_body};
  for (size_t tries = 1;; ++tries) {
    FLOTILLA_TRY(connect());  // which has tried them all
    base::Result<HttpResponse> response = request_once(request);
    // What may have been done is not asked for again elsewhere; 503 says that nothing was.
    const bool refused = response && response->status == 503;
    const bool broken = !response && response.error().code == base::Errc::kUnavailable;
    if (tries >= endpoints_.size() || (!refused && !broken)) return response;
    use_next();
  }
}

base::Result<HttpResponse> HttpClient::request_once(const HttpRequest& request) {
  const bool is_repeatable = request.method != "POST";
  if (!is_repeatable && wire_ && wire_->is_stale()) wire_.reset();
  for (;;) {
    FLOTILLA_TRY(connect());
    const bool reused = std::exchange(wire_->used_, true);
    error_code error;
    asio::write(wire_->socket_, asio::buffer(bytes_of(request, endpoint())), error);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    // A server that refuses a request may answer and hang up before it has read it all.
    error_code unread;
    http::read(wire_->socket_, wire_->buffer_, parser, unread);
    if (!error || !unread) error = unread;
    if (!error) {
      const bool keep = parser.get().keep_alive();
      HttpResponse response{static_cast<int>(parser.get().result_int()),
                            std::move(parser.get().body())};
      if (!keep) wire_.reset();
      return response;
    }
    const bool nothing_came = !parser.got_some();
    const std::string why = wire_->describe_end(error);
    wire_.reset();
    // An idle connection may have been closed by the server just now: that request was not
    // received.
    if (reused && nothing_came && is_repeatable) continue;
    if (error == http::error::body_limit) {
      return base::too_large("the answer of the API at {} has more than 64 MiB",
                             describe(endpoint()));
    }
    const std::string text =
        fmt::format("the API at {} did not answer: {}", describe(endpoint()), why);
    return is_repeatable ? base::unavailable("{}", text) : base::timed_out("{}", text);
  }
}

// Sends some requests from `begin` on and appends the answers that came. Fails if the connection
// broke before the last of them.
base::Status HttpClient::exchange_window(const std::vector<HttpRequest>& requests, size_t begin,
                                         std::vector<HttpResponse>& responses) {
  FLOTILLA_TRY(connect());
  wire_->used_ = true;
  std::string bytes;
  size_t end = begin;
  while (end < requests.size() && end - begin < kWindowRequests && bytes.size() < kWindowBytes) {
    bytes += bytes_of(requests[end++], endpoint());
  }
  error_code error;
  asio::write(wire_->socket_, asio::buffer(bytes), error);
  error_code unread;
  for (size_t i = begin; i < end && !unread; ++i) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    http::read(wire_->socket_, wire_->buffer_, parser, unread);
    if (unread) break;
    const bool keep = parser.get().keep_alive();
    responses.push_back(
        {static_cast<int>(parser.get().result_int()), std::move(parser.get().body())});
    if (!keep) {
      wire_.reset();
      return {};
    }
  }
  if (unread) {
    const std::string why = wire_->describe_end(unread);
    wire_.reset();
    return base::unavailable("the API at {} did not answer: {}", describe(endpoint()), why);
  }
  return {};
}

std::vector<base::Result<HttpResponse>> HttpClient::exchange(
    const std::vector<HttpRequest>& requests) {
  std::vector<base::Result<HttpResponse>> results;
  results.reserve(requests.size());
  int failures = 0;  // in a row, without any answer
  while (results.size() < requests.size()) {
    std::vector<HttpResponse> responses;
    const base::Status sent = exchange_window(requests, results.size(), responses);
    for (HttpResponse& response : responses) results.emplace_back(std::move(response));
    failures = sent || !responses.empty() ? 0 : failures + 1;
    // A kept connection may just have been closed; a fresh one, and the other endpoints, are tried.
    if (failures <= static_cast<int>(endpoints_.size())) {
      if (failures > 1) use_next();
      continue;
    }
    while (results.size() < requests.size()) results.emplace_back(base::unexpected(sent.error()));
  }
  if (endpoints_.size() == 1) return results;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i] || results[i]->status != 503) continue;
    results[i] = request(requests[i].method, requests[i].target, requests[i].json_body);
  }
  return results;
}

base::Result<HttpResponse> HttpClient::stream(const std::string& target,
                                              const std::function<void(std::string_view)>& sink) {
  for (size_t tries = 1;; ++tries) {
    base::Result<HttpResponse> response = stream_once(target, sink);
    if (!response || response->status != 503 || tries >= endpoints_.size()) return response;
    use_next();
  }
}

base::Result<HttpResponse> HttpClient::stream_once(
    const std::string& target, const std::function<void(std::string_view)>& sink) {
  wire_.reset();  // a stream has a connection of its own, which ends with it
  FLOTILLA_TRY(connect());
  const std::unique_ptr<Wire> wire = std::move(wire_);
  error_code error;
  asio::write(wire->socket_, asio::buffer(bytes_of({"GET", target, {}}, endpoint())), error);
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (!error) http::read_header(wire->socket_, wire->buffer_, parser, error);
  HttpResponse response{static_cast<int>(parser.get().result_int()), {}};
  char piece[16384];
  while (!error && !parser.is_done()) {
    parser.get().body().data = piece;
    parser.get().body().size = sizeof piece;
    http::read_some(wire->socket_, wire->buffer_, parser, error);
    if (error == http::error::need_buffer) error = {};
    const std::string_view got(piece, sizeof piece - parser.get().body().size);
    if (got.empty()) continue;
    if (response.status == 200) {
      sink(got);
    } else if (response.body.size() < kMaxBody) {
      response.body += got;
    }
  }
  if (error) {
    return base::unavailable("the API at {} ended the answer early: {}", describe(endpoint()),
                             wire->describe_end(error));
  }
  return response;
}

}  // namespace flotilla::client
