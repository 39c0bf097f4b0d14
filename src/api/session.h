// The inside of the server: Server::Impl, which has the listeners, and Session, one connection.
// Private to server.cc and session.cc.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>
#include <unordered_set>
#include <vector>

#include "api/server.h"

namespace flotilla::api {

using ErrorCode = boost::system::error_code;
using Socket = boost::asio::generic::stream_protocol::socket;

class Session;

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(overlord::AsioLoop& loop, Api& api, ServerLimits limits);

  void listen(base::Fd fd);
  void begin_session(Connection connection);
  void close();
  void pause(std::function<void()> done);
  void resume();
  // Tells pause()'s caller if nothing is under way any more.
  void settle();

  boost::asio::io_context& io;
  overlord::AsioLoop& event_loop;
  Api& the_api;
  const ServerLimits limits;
  bool is_closed = false;
  bool is_paused = false;
  size_t open = 0;  // connections that are not closed
  size_t busy = 0;  // of them, those with a request under way
  Answers answers;
  size_t held_bytes = 0;  // bodies and answers under way
  std::unordered_set<Session*> sessions;
  // Whose place may be taken: who waits between requests, and who is in the middle of sending one;
  // the longest first.
  std::list<Session*> idle;
  std::list<Session*> reading;
  // Those that wait for resume(), or to be handed over; no operation of their own keeps them.
  std::vector<std::shared_ptr<Session>> parked;

 private:
  struct Listener {
    base::Fd fd;
    base::RegistrationPtr watch;
    base::RegistrationPtr rest;  // armed while accepting is paused
  };
  void accept_all(Listener& listener);
  void watch(Listener& listener);
  bool has_room() const { return open < limits.connections || !idle.empty() || !reading.empty(); }

  std::vector<std::unique_ptr<Listener>> listeners_;
  std::function<void()> on_settled_;
  base::RegistrationPtr settling_;
};

// Kept alive by its outstanding operations, or by the server while it is parked.
//
//   idle -> head -> body -> answering -> idle
//     \______\___ parked while the server is paused, or handed over
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Server::Impl> server, Socket socket, std::string_view received,
          Role role);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read_request();
  void close();
  // The server pauses: what has not become a request yet stops, a stream ends.
  void park();
  // Requires: parked.
  std::optional<Connection> hand_over();

 private:
  using StringParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  // Reading.
  void read_head();
  void on_head_bytes(ErrorCode error, size_t count);
  bool take_head();
  std::optional<std::pair<int, std::string_view>> wrong_framing() const;
  bool is_peer_waiting() const;
  void on_head();
  void read_body();
  void on_request();
  void refuse(int status, std::string_view message);
  void refuse_body();

  // Answering.
  void send(Response response);
  void send_stream(Response response);
  void send_piece();
  void end_stream();
  void watch_peer();
  void finish(bool keep);
  void drain();

  void enter(std::list<Session*>& list);
  void leave();
  void wait_parked();
  void count_answer(int status);
  void set_busy(bool is_busy);
  void hold(size_t bytes);
  bool is_old_http() const { return parser_->get().version() < 11; }

  std::shared_ptr<Server::Impl> server_;
  const Role role_;
  boost::beast::basic_stream<boost::asio::generic::stream_protocol> stream_;
  boost::beast::flat_buffer buffer_;
  size_t searched_ = 0;  // of the buffer, for the end of the head
  std::optional<StringParser> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
  std::optional<boost::beast::http::response<boost::beast::http::empty_body>> head_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::empty_body>>
      head_serializer_;
  std::shared_ptr<BodyStream> body_stream_;
  std::string piece_;
  std::list<Session*>* list_ = nullptr;
  std::list<Session*>::iterator place_;
  size_t held_ = 0;
  bool is_busy_ = false;
  bool is_parked_ = false;
  bool is_head_request_ = false;
  bool is_chunked_ = true;
  bool is_sending_ = false;
  bool is_closed_ = false;
  bool is_peer_gone_ = false;
  bool is_refused_ = false;
  bool is_draining_ = false;
};

}  // namespace flotilla::api
