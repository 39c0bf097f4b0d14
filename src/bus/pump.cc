#include "bus/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "bus/sd_bus_api.h"

namespace flotilla::bus {
namespace {

// How many steps of one connection are done before the others get their turn.
constexpr int kStepsPerTurn = 64;

}  // namespace

struct Pump::Life {
  Pump* pump;
};

Pump::Pump(base::EventLoop& loop, sd_bus* bus, std::function<void(int)> on_closed,
           PumpLimits limits)
    : loop_(loop),
      bus_(bus),
      on_closed_(std::move(on_closed)),
      limits_(limits),
      life_(std::make_shared<Life>(Life{this})) {
  update();
}

Pump::~Pump() {
  life_->pump = nullptr;
  stop_watching();
  sd_bus_api().sd_bus_close(bus_);
  sd_bus_api().sd_bus_unref(bus_);
}

void Pump::stop_watching() {
  watch_.reset();
  timer_.reset();
  watched_.reset();
  watched_inode_ = 0;
}

bool Pump::follow_descriptor(int fd) {
  // A client that has several addresses to try changes its socket until one answers.
  if (watched_ && sd_bus_api().sd_bus_is_ready(bus_) > 0) return true;
  struct stat info {};
  if (::fstat(fd, &info) < 0) return false;
  if (watched_ && info.st_ino == watched_inode_) return true;
  watch_.reset();
  watched_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  watched_inode_ = info.st_ino;
  return watched_.is_open();
}

void Pump::update() {
  if (closed_ || running_) return;
  const SdBusApi& api = sd_bus_api();
  const int fd = api.sd_bus_get_fd(bus_);
  const int events = api.sd_bus_get_events(bus_);
  uint64_t until = UINT64_MAX;
  const int timeout = api.sd_bus_get_timeout(bus_, &until);
  if (fd < 0 || events < 0 || timeout < 0) {
    fail(fd < 0 ? -fd : events < 0 ? -events : -timeout);
    return;
  }
  if (!follow_descriptor(fd)) {
    fail(errno);
    return;
  }
  auto wanted = static_cast<uint32_t>(events) & (EPOLLIN | EPOLLOUT);
  const bool held_up = is_held_up();
  if (held_up) wanted = EPOLLOUT;
  if (watch_ == nullptr || wanted != events_) {
    watch_.reset();
    events_ = wanted;
    // An error alone is the loop saying that it cannot watch the descriptor.
    watch_ = loop_.watch(watched_.get(), wanted, [this](uint32_t ready) {
      if (ready == EPOLLERR) return fail(EIO);
      run();
    });
  }
  base::MonotonicTime deadline = base::MonotonicTime::never();
  if (timeout > 0 && until != UINT64_MAX) deadline = {base::Micros(until)};
  if (held_up) {
    timer_.reset();
    deadline_ = base::MonotonicTime::never();
  } else if (until == 0) {
    // Something is queued already that no descriptor will tell of.
    timer_.reset();
    deadline_ = base::MonotonicTime::never();
    if (!std::exchange(posted_, true)) {
      loop_.post([life = life_] {
        if (life->pump == nullptr) return;
        life->pump->posted_ = false;
        life->pump->run();
      });
    }
  } else if (deadline != deadline_) {
    deadline_ = deadline;
    timer_ = deadline.is_never() ? nullptr : loop_.at(deadline, [this] {
      deadline_ = base::MonotonicTime::never();
      run();
    });
  }
}

void Pump::fail(int error_number) {
  if (closed_) return;
  loop_.post([life = life_, error_number] {
    if (life->pump != nullptr) life->pump->close(error_number);
  });
}

uint64_t Pump::queued_writes() const {
  uint64_t queued = 0;
  sd_bus_api().sd_bus_get_n_queued_write(bus_, &queued);
  return queued;
}

bool Pump::is_held_up() const {
  if (limits_.unread_answers == UINT64_MAX || !watched_) return false;
  if (queued_writes() <= limits_.unread_answers) return false;
  pollfd writable{watched_.get(), POLLOUT, 0};
  return ::poll(&writable, 1, 0) == 0;
}

int Pump::step(sd_bus* bus) {
  const SdBusApi& api = sd_bus_api();
  if (is_held_up()) return 0;
  if (limits_.message_bytes == UINT64_MAX || !watched_) return api.sd_bus_process(bus, nullptr);
  // The library takes messages of 128 MiB and does not tell how much of one it has; what it took is
  // what is no longer in the socket.
  const std::shared_ptr<Life> life = life_;
  int before = 0, after = 0;
  static_cast<void>(::ioctl(watched_.get(), FIONREAD, &before));
  const int result = api.sd_bus_process(bus, nullptr);
  if (life->pump == nullptr || result < 0 || closed_) return result;
  static_cast<void>(::ioctl(watched_.get(), FIONREAD, &after));
  if (has_call_) {
    unfinished_bytes_ = 0;
  } else if (after < before) {
    unfinished_bytes_ += static_cast<uint64_t>(before - after);
  }
  return unfinished_bytes_ > limits_.message_bytes ? -ENOBUFS : result;
}

void Pump::run() {
  if (closed_ || running_) return;
  // A callback may destroy us; the bus itself must live until sd_bus_process returns.
  const std::shared_ptr<Life> life = life_;
  const SdBusApi& api = sd_bus_api();
  sd_bus* bus = api.sd_bus_ref(bus_);
  running_ = true;
  int result = 1;
  has_call_ = false;
  for (int steps = 0; steps < kStepsPerTurn && result > 0 && !has_call_; ++steps) {
    result = step(bus);
    if (life->pump == nullptr) break;
  }
  if (life->pump != nullptr) {
    running_ = false;
    if (result < 0) {
      close(-result);
    } else {
      update();
      // What is left after a call is in the socket, or in the bus and then its deadline is now.
      if (result > 0 && !has_call_ && !closed_ && !std::exchange(posted_, true)) {
        loop_.post([life] {
          if (life->pump == nullptr) return;
          life->pump->posted_ = false;
          life->pump->run();
        });
      }
    }
  }
  api.sd_bus_unref(bus);
}

void Pump::close(int error_number) {
  if (std::exchange(closed_, true)) return;
  stop_watching();
  auto on_closed = std::move(on_closed_);
  if (on_closed) on_closed(error_number);  // may destroy us
}

}  // namespace flotilla::bus
