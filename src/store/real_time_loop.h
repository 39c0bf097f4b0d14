// For tests of a store whose server has a clock of its own: a loop whose time goes on with the
// world's while it is run, and stands still in between.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "base/fake_event_loop.h"

namespace flotilla::store {

class RealTimeLoop final : public base::EventLoop {
 public:
  const base::Clock& clock() const override { return loop_.clock(); }
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override {
    return loop_.at(deadline, std::move(callback));
  }
  void post(std::function<void()> callback) override {
    loop_.post(std::move(callback));
    const std::lock_guard lock(mutex_);
    ++posts_;
    posted_.notify_all();
  }
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override {
    return loop_.watch(fd, events, std::move(callback));
  }

  // Runs until `fact` holds, `limit` at most. Returns whether it holds.
  bool run_until(const std::function<bool()>& fact, base::Micros limit) {
    last_ = std::chrono::steady_clock::now();
    const base::MonotonicTime end = clock().monotonic() + limit;
    for (;;) {
      uint64_t seen = 0;
      {
        const std::lock_guard lock(mutex_);
        seen = posts_;
      }
      go_on();
      if (fact()) return true;
      if (clock().monotonic() >= end) return false;
      const base::Micros rest = std::min(loop_.next_deadline(), end) - clock().monotonic();
      std::unique_lock lock(mutex_);
      posted_.wait_for(lock, rest + base::Micros(500), [&] { return posts_ != seen; });
    }
  }
  void run_for(base::Micros time) {
    run_until([] { return false; }, time);
  }

 private:
  void go_on() {
    const auto now = std::chrono::steady_clock::now();
    const auto passed = std::chrono::duration_cast<base::Micros>(now - last_);
    last_ += passed;
    loop_.advance(passed);
  }

  base::FakeEventLoop loop_;
  std::chrono::steady_clock::time_point last_;
  std::mutex mutex_;
  std::condition_variable posted_;
  uint64_t posts_ = 0;
};

}  // namespace flotilla::store
