// For tests: loops over a FakeEventLoop on which a test can wait for what another thread posts,
// without sleeping.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "base/fake_event_loop.h"

namespace flotilla::store {

// Counts what is posted, so that it can be waited for.
class PostedLoop : public base::EventLoop {
 public:
  const base::Clock& clock() const override { return loop_.clock(); }
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override {
    return loop_.at(deadline, std::move(callback));
  }
  void post(std::function<void()> callback) override {
    loop_.post(std::move(callback));
    // Under the lock, so that the loop may be destroyed as soon as the post was seen.
    const std::lock_guard lock(mutex_);
    ++posts_;
    posted_.notify_all();
  }
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override {
    return loop_.watch(fd, events, std::move(callback));
  }

 protected:
  uint64_t posts() {
    const std::lock_guard lock(mutex_);
    return posts_;
  }
  // Until there were more than `seen`; false if there are not when `end` has come.
  bool wait_for_more_than(uint64_t seen, std::chrono::steady_clock::time_point end) {
    std::unique_lock lock(mutex_);
    return posted_.wait_until(lock, end, [&] { return posts_ != seen; });
  }

  base::FakeEventLoop loop_;

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  uint64_t posts_ = 0;
};

// Time stands still unless the test moves it.
class WaitingLoop final : public PostedLoop {
 public:
  // Runs what is posted until `fact` holds. Returns false if it does not come true within a minute.
  bool run_until(const std::function<bool()>& fact) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (;;) {
      const uint64_t seen = posts();
      loop_.settle();
      if (fact()) return true;
      if (!wait_for_more_than(seen, give_up)) return false;
    }
  }
  void settle() { loop_.settle(); }
  void advance(base::Micros by) { loop_.advance(by); }
  size_t armed_timers() const { return loop_.armed_timers(); }
};

// For a store whose server has a clock of its own: time goes on with the world's while the loop is
// run, and stands still in between.
class RealTimeLoop final : public PostedLoop {
 public:
  // Runs until `fact` holds, `limit` at most. Returns whether it holds.
  bool run_until(const std::function<bool()>& fact, base::Micros limit) {
    last_ = std::chrono::steady_clock::now();
    const base::MonotonicTime end = clock().monotonic() + limit;
    for (;;) {
      const uint64_t seen = posts();
      go_on();
      if (fact()) return true;
      if (clock().monotonic() >= end) return false;
      const base::Micros rest = std::min(loop_.next_deadline(), end) - clock().monotonic();
      wait_for_more_than(seen, std::chrono::steady_clock::now() + rest + base::Micros(500));
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

  std::chrono::steady_clock::time_point last_;
};

}  // namespace flotilla::store
