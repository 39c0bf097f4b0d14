#include "init/bus_loop.h"

#include <utility>

namespace flotilla::init {

class BusLoop::TimerRegistration final : public base::Registration {
 public:
  TimerRegistration(Loop& loop, base::MonotonicTime deadline, std::function<void()> callback)
      : callback_(std::move(callback)),
        timer_(Callback<void()>::to<&TimerRegistration::fire>(*this)) {
    loop.arm(timer_, deadline);
  }

 private:
  void fire() {
    auto callback = std::move(callback_);  // it may destroy us
    callback();
  }

  std::function<void()> callback_;
  Timer timer_;
};

class BusLoop::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(Loop& loop, int fd, uint32_t events, std::function<void(uint32_t)> callback)
      : callback_(std::move(callback)),
        source_(Priority::kBus, Callback<void(uint32_t)>::to<&WatchRegistration::fire>(*this)),
        status_(loop.watch(source_, fd, events)) {}

  const base::Status& status() const { return status_; }

 private:
  void fire(uint32_t events) {
    auto callback = callback_;  // it may destroy us
    callback(events);
  }

  std::function<void(uint32_t)> callback_;
  FdSource source_;
  base::Status status_;
};

BusLoop::BusLoop(Loop& loop)
    : loop_(loop), posted_timer_(Callback<void()>::to<&BusLoop::run_posted>(*this)) {}

base::RegistrationPtr BusLoop::at(base::MonotonicTime deadline, std::function<void()> callback) {
  return std::make_unique<TimerRegistration>(loop_, deadline, std::move(callback));
}

void BusLoop::post(std::function<void()> callback) {
  posted_.push_back(std::move(callback));
  if (!posted_timer_.is_armed()) loop_.arm(posted_timer_, clock().monotonic());
}

base::RegistrationPtr BusLoop::watch(int fd, uint32_t events,
                                     std::function<void(uint32_t)> callback) {
  auto registration = std::make_unique<WatchRegistration>(loop_, fd, events, callback);
  if (!registration->status()) {
    // The kernel refuses to watch it (no memory, too many watches): the user hears an error on the
    // descriptor and drops that connection.
    post([callback = std::move(callback)] { callback(EPOLLERR); });
  }
  return registration;
}

void BusLoop::run_posted() {
  // What is posted meanwhile waits for the next turn.
  auto work = std::exchange(posted_, {});
  for (auto& callback : work) callback();
}

}  // namespace flotilla::init
