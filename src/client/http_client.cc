#include "client/http_client.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace flotilla::client {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr size_t kMaxBody = size_t{64} << 20;

std::string describe(const Endpoint& endpoint) {
  return endpoint.kind == Endpoint::Kind::kUnix ? "unix://" + endpoint.path
                                                : "http://" + endpoint.host + ":" + endpoint.port;
}

}  // namespace

// One socket of either kind; generic::stream_protocol serves both.
class HttpClient::Connection {
 public:
  base::Status open(const Endpoint& endpoint) {
    error_code error;
    if (endpoint.kind == Endpoint::Kind::kUnix) {
      if (endpoint.path.size() > 107) {
        return base::invalid("the path of the API's socket is too long (107 bytes at most): {}",
                             endpoint.path);
      }
      const asio::local::stream_protocol::endpoint address(endpoint.path);
      socket_.connect(asio::generic::stream_protocol::endpoint(address), error);
    } else {
      asio::ip::tcp::resolver resolver(context_);
      const auto found = resolver.resolve(endpoint.host, endpoint.port, error);
      for (const auto& entry : found) {
        error_code ignored;
        socket_.close(ignored);
        socket_.connect(asio::generic::stream_protocol::endpoint(entry.endpoint()), error);
        if (!error) break;
      }
    }
    if (error) {
      return base::unavailable("cannot connect to the API at {}: {}; is fleetd running?",
                               describe(endpoint), error.message());
    }
    return {};
  }

  asio::io_context context_;
  asio::generic::stream_protocol::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
  bool used_ = false;
};

HttpClient::HttpClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
HttpClient::~HttpClient() = default;

base::Status HttpClient::connect() {
  if (connection_) return {};
  auto fresh = std::make_unique<Connection>();
  FLOTILLA_TRY(fresh->open(endpoint_));
  connection_ = std::move(fresh);
  return {};
}

base::Result<HttpResponse> HttpClient::request(std::string_view method, const std::string& target,
                                               const std::string& json_body) {
  http::request<http::string_body> request;
  request.version(11);
  request.method_string({method.data(), method.size()});
  request.target(target);
  request.set(http::field::host,
              endpoint_.kind == Endpoint::Kind::kUnix ? "domain-sock" : endpoint_.host);
  request.set(http::field::user_agent, "fleetctl");
  if (!json_body.empty()) {
    request.set(http::field::content_type, "application/json");
    request.body() = json_body;
    request.prepare_payload();
  }
  for (;;) {
    FLOTILLA_TRY(connect());
    const bool reused = std::exchange(connection_->used_, true);
    error_code error;
    http::write(connection_->socket_, request, error);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    // A server that refuses a request may answer and hang up before it has read it all.
    error_code unread;
    http::read(connection_->socket_, connection_->buffer_, parser, unread);
    if (!error || !unread) error = unread;
    if (!error) {
      const bool keep = parser.get().keep_alive();
      HttpResponse response{static_cast<int>(parser.get().result_int()),
                            std::move(parser.get().body())};
      if (!keep) connection_.reset();
      return response;
    }
    const bool nothing_came = !parser.got_some();
    connection_.reset();
    // An idle connection may have been closed by the server just now: that request was not
    // received.
    if (reused && nothing_came) continue;
    if (error == http::error::body_limit) {
      return base::too_large("the answer of the API at {} has more than 64 MiB",
                             describe(endpoint_));
    }
    return base::unavailable("the API at {} did not answer: {}", describe(endpoint_),
                             error.message());
  }
}

base::Result<HttpResponse> HttpClient::stream(const std::string& target,
                                              const std::function<void(std::string_view)>& sink) {
  connection_.reset();  // a stream has a connection of its own, which ends with it
  FLOTILLA_TRY(connect());
  const std::unique_ptr<Connection> connection = std::move(connection_);
  http::request<http::empty_body> request(http::verb::get, target, 11);
  request.set(http::field::host,
              endpoint_.kind == Endpoint::Kind::kUnix ? "domain-sock" : endpoint_.host);
  request.set(http::field::user_agent, "fleetctl");
  error_code error;
  http::write(connection->socket_, request, error);
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (!error) http::read_header(connection->socket_, connection->buffer_, parser, error);
  HttpResponse response{static_cast<int>(parser.get().result_int()), {}};
  char piece[16384];
  while (!error && !parser.is_done()) {
    parser.get().body().data = piece;
    parser.get().body().size = sizeof piece;
    http::read_some(connection->socket_, connection->buffer_, parser, error);
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
    return base::unavailable("the API at {} ended the answer early: {}", describe(endpoint_),
                             error.message());
  }
  return response;
}

}  // namespace flotilla::client
