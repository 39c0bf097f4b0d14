// An EventLoop in virtual time: timers fire in order when advance() passes them, posts run at once
// when the test settles. Descriptors are not watched; fire(fd, events) plays the kernel's part.
#pragma once

#include <deque>
#include <map>
#include <mutex>

#include "base/event_loop.h"

namespace flotilla::base {

class FakeEventLoop final : public EventLoop {
 public:
  const FakeClock& clock() const override { return clock_; }
  FakeClock& fake_clock() { return clock_; }

  RegistrationPtr at(MonotonicTime deadline, std::function<void()> callback) override;
  void post(std::function<void()> callback) override;
  RegistrationPtr watch(int fd, uint32_t events, std::function<void(uint32_t)> callback) override;

  // Runs posted callbacks (and what they post) until none is left.
  void settle();
  // Moves time forward, stopping at every timer on the way; settles before, between and after.
  void advance(Micros by);
  // Calls the watchers of fd that asked for any of `events`.
  void fire(int fd, uint32_t events);

  size_t armed_timers() const { return timers_.size(); }
  // The earliest armed deadline, or never().
  MonotonicTime next_deadline() const {
    return timers_.empty() ? MonotonicTime::never() : timers_.begin()->first.first;
  }

 private:
  struct Watch {
    int fd;
    uint32_t events;
    std::function<void(uint32_t)> callback;
  };
  class TimerRegistration;
  class WatchRegistration;

  FakeClock clock_;
  uint64_t next_id_ = 1;
  std::map<std::pair<MonotonicTime, uint64_t>, std::function<void()>> timers_;
  std::map<uint64_t, Watch> watches_;
  std::mutex posted_mutex_;  // post() may be called from any thread
  std::deque<std::function<void()>> posted_;
};

}  // namespace flotilla::base
