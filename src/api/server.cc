#include "api/server.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>

#include "api/session.h"
#include "base/error.h"
#include "overlord/loop_asio.h"

namespace flotilla::api {
namespace {

constexpr std::chrono::milliseconds kAcceptRest{100};
// How long pause() waits for requests that are under way.
constexpr std::chrono::seconds kSettling{1};

}  // namespace

Server::Impl::Impl(overlord::AsioLoop& loop, Api& api, ServerLimits the_limits)
    : io(overlord::io_context_of(loop)), event_loop(loop), the_api(api), limits(the_limits) {}

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
    if (has_room()) {
      const int fd = accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        // Only now is it known that somebody needs the place.
        if (open >= limits.connections) (idle.empty() ? reading : idle).front()->close();
        begin_session({base::Fd(fd), {}});
        continue;
      }
      if (errno == EAGAIN) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      SPDLOG_ERROR("Failed serving HTTP on listener: accept: {}", base::describe_errno(errno));
    }
    // Out of descriptors, memory or places: whoever waits stays in the backlog for a moment.
    listener.watch.reset();
    listener.rest = event_loop.after(kAcceptRest, [this, &listener] { watch(listener); });
    return;
  }
}

void Server::Impl::begin_session(Connection connection) {
  int domain = AF_UNIX;
  socklen_t size = sizeof domain;
  getsockopt(connection.fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
  Socket socket(io);
  ErrorCode error;
  socket.assign(boost::asio::generic::stream_protocol(domain, 0), connection.fd.get(), error);
  if (error) return;
  connection.fd.release();
  std::make_shared<Session>(shared_from_this(), std::move(socket), connection.received,
                            connection.role)
      ->read_request();
}

void Server::Impl::close() {
  is_closed = true;
  listeners_.clear();
  settling_.reset();
  parked.clear();
  const std::unordered_set<Session*> all = sessions;
  for (Session* session : all) session->close();
}

void Server::Impl::pause(std::function<void()> done) {
  if (is_paused) return;
  is_paused = true;
  for (const auto& listener : listeners_) {
    listener->watch.reset();
    listener->rest.reset();
  }
  const std::unordered_set<Session*> all = sessions;
  for (Session* session : all) session->park();
  if (!done) return;
  on_settled_ = std::move(done);
  settling_ = event_loop.after(kSettling, [this] {
    if (on_settled_) event_loop.post(std::exchange(on_settled_, nullptr));
  });
  event_loop.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->settle();
  });
}

void Server::Impl::settle() {
  if (!is_paused || busy > 0 || !on_settled_) return;
  event_loop.post(std::exchange(on_settled_, nullptr));
}

void Server::Impl::resume() {
  is_paused = false;
  on_settled_ = nullptr;
  settling_.reset();
  for (const auto& listener : listeners_) watch(*listener);
  for (const auto& session : std::exchange(parked, {})) session->read_request();
}

Server::Server(overlord::AsioLoop& loop, Api& api, std::vector<base::Fd> listeners,
               ServerLimits limits)
    : impl_(std::make_shared<Impl>(loop, api, limits)) {
  for (base::Fd& listener : listeners) impl_->listen(std::move(listener));
}

Server::~Server() { impl_->close(); }

size_t Server::connections() const { return impl_->open; }
const Answers& Server::answers() const { return impl_->answers; }
void Server::pause(std::function<void()> done) { impl_->pause(std::move(done)); }
void Server::resume() { impl_->resume(); }

void Server::adopt(std::vector<Connection> connections) {
  for (Connection& connection : connections) {
    impl_->begin_session(std::move(connection));
  }
}

std::vector<Connection> Server::take_connections() {
  std::vector<Connection> connections;
  for (const auto& session : std::exchange(impl_->parked, {})) {
    if (auto connection = session->hand_over()) connections.push_back(std::move(*connection));
  }
  return connections;
}

}  // namespace flotilla::api
