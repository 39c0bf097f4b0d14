#include "overlord/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "overlord/loop_asio.h"

namespace flotilla::overlord {

namespace asio = boost::asio;

struct AsioLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  base::SystemClock clock;
};

namespace {

// Each registration shares its Asio object with the handler in flight; `ended` makes a handler that
// Asio has already queued fall silent.
struct Timer {
  explicit Timer(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  std::function<void()> callback;
  bool ended = false;
};

class TimerRegistration final : public base::Registration {
 public:
  explicit TimerRegistration(std::shared_ptr<Timer> timer) : timer_(std::move(timer)) {}
  ~TimerRegistration() override {
    timer_->ended = true;
    boost::system::error_code ignored;
    timer_->timer.cancel(ignored);
  }

 private:
  std::shared_ptr<Timer> timer_;
};

struct DescriptorWatch : std::enable_shared_from_this<DescriptorWatch> {
  DescriptorWatch(asio::io_context& context, int fd) : descriptor(context, fd) {}

  void arm(asio::posix::stream_descriptor::wait_type type, uint32_t event) {
    descriptor.async_wait(
        type, [self = shared_from_this(), type, event](const boost::system::error_code& error) {
          if (self->ended || error == asio::error::operation_aborted) return;
          const auto tell = self->callback;  // the call may end the watch
          tell(error ? uint32_t{EPOLLERR} : event);
          if (!self->ended && !error) self->arm(type, event);
        });
  }

  asio::posix::stream_descriptor descriptor;
  std::function<void(uint32_t)> callback;
  bool ended = false;
};

class WatchRegistration final : public base::Registration {
 public:
  explicit WatchRegistration(std::shared_ptr<DescriptorWatch> watch) : watch_(std::move(watch)) {}
  ~WatchRegistration() override {
    watch_->ended = true;
    watch_->descriptor.release();  // cancels the waits, leaves the descriptor to its owner
  }

 private:
  std::shared_ptr<DescriptorWatch> watch_;
};

struct SignalWatch : std::enable_shared_from_this<SignalWatch> {
  SignalWatch(asio::io_context& context, int signal) : set(context, signal) {}

  void arm() {
    set.async_wait([self = shared_from_this()](const boost::system::error_code& error, int signal) {
      if (self->ended || error) return;
      const auto tell = self->callback;
      tell(signal);
      if (!self->ended) self->arm();
    });
  }

  asio::signal_set set;
  std::function<void(int)> callback;
  bool ended = false;
};

class SignalRegistration final : public base::Registration {
 public:
  explicit SignalRegistration(std::shared_ptr<SignalWatch> watch) : watch_(std::move(watch)) {}
  ~SignalRegistration() override {
    watch_->ended = true;
    boost::system::error_code ignored;
    watch_->set.clear(ignored);
    watch_->set.cancel(ignored);
  }

 private:
  std::shared_ptr<SignalWatch> watch_;
};

}  // namespace

asio::io_context& io_context_of(AsioLoop& loop) { return loop.impl().context; }

AsioLoop::AsioLoop() : impl_(std::make_unique<Impl>()) {}
AsioLoop::~AsioLoop() = default;

const base::Clock& AsioLoop::clock() const { return impl_->clock; }

base::RegistrationPtr AsioLoop::at(base::MonotonicTime deadline, std::function<void()> callback) {
  auto timer = std::make_shared<Timer>(impl_->context);
  timer->callback = std::move(callback);
  if (deadline <= impl_->clock.monotonic()) {
    // What is due already needs no timer, and none of its system calls.
    asio::post(impl_->context, [timer] {
      if (timer->ended) return;
      const auto due = std::move(timer->callback);  // the call may end the registration
      due();
    });
  } else if (!deadline.is_never()) {
    // steady_clock is CLOCK_MONOTONIC in nanoseconds; a deadline beyond it is never.
    constexpr auto kFarthest =
        std::chrono::duration_cast<base::Micros>(std::chrono::steady_clock::duration::max() / 2);
    const base::Micros since_epoch = std::min(deadline.since_epoch, kFarthest);
    timer->timer.expires_at(std::chrono::steady_clock::time_point(since_epoch));
    timer->timer.async_wait([timer](const boost::system::error_code& error) {
      if (timer->ended || error) return;
      const auto due = std::move(timer->callback);  // the call may end the registration
      due();
    });
  }
  return std::make_unique<TimerRegistration>(std::move(timer));
}

void AsioLoop::post(std::function<void()> callback) {
  asio::post(impl_->context, std::move(callback));
}

base::RegistrationPtr AsioLoop::watch(int fd, uint32_t events,
                                      std::function<void(uint32_t)> callback) {
  auto watch = std::make_shared<DescriptorWatch>(impl_->context, fd);
  watch->callback = std::move(callback);
  if ((events & EPOLLIN) != 0) watch->arm(asio::posix::stream_descriptor::wait_read, EPOLLIN);
  if ((events & EPOLLOUT) != 0) watch->arm(asio::posix::stream_descriptor::wait_write, EPOLLOUT);
  return std::make_unique<WatchRegistration>(std::move(watch));
}

base::RegistrationPtr AsioLoop::on_signal(int signal, std::function<void(int)> callback) {
  auto watch = std::make_shared<SignalWatch>(impl_->context, signal);
  watch->callback = std::move(callback);
  watch->arm();
  return std::make_unique<SignalRegistration>(std::move(watch));
}

void AsioLoop::run() {
  impl_->context.run();
  impl_->context.restart();
}
void AsioLoop::stop() { impl_->context.stop(); }

}  // namespace flotilla::overlord
