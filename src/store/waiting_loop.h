// For tests: a FakeEventLoop on which a test can wait for what another thread posts, without
// sleeping. Time stands still unless the test moves it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "base/fake_event_loop.h"

namespace flotilla::store {

class WaitingLoop final : public base::EventLoop {
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

  // Runs what is posted until `fact` holds. Returns false if it does not come true within a minute.
  bool run_until(const std::function<bool()>& fact) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    uint64_t seen = 0;
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        seen = posts_;
      }
      loop_.settle();
      if (fact()) return true;
      std::unique_lock lock(mutex_);
      if (!posted_.wait_until(lock, give_up, [&] { return posts_ != seen; })) return false;
    }
  }
  void settle() { loop_.settle(); }
  void advance(base::Micros by) { loop_.advance(by); }
  size_t armed_timers() const { return loop_.armed_timers(); }

 private:
  base::FakeEventLoop loop_;
  std::mutex mutex_;
  std::condition_variable posted_;
  uint64_t posts_ = 0;
};

}  // namespace flotilla::store
