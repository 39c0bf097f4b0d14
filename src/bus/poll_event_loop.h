// An EventLoop over poll(2) for programs that do one thing and end, such as the command-line
// clients, and for tests. Daemons have their own loops.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"

namespace flotilla::bus {

class PollEventLoop final : public base::EventLoop {
 public:
  PollEventLoop();

  const base::Clock& clock() const override { return clock_; }
  base::RegistrationPtr at(base::MonotonicTime deadline, std::function<void()> callback) override;
  void post(std::function<void()> callback) override;
  base::RegistrationPtr watch(int fd, uint32_t events,
                              std::function<void(uint32_t)> callback) override;

  // Turns until the condition holds; false if it does not hold when `limit` has passed.
  bool run_until(const std::function<bool()>& condition, base::Micros limit);
  // One turn: waits for an event, but no longer than `limit`.
  void turn(base::Micros limit);

 private:
  struct Watch {
    int fd;
    uint32_t events;
    std::function<void(uint32_t)> callback;
  };
  class Entry;

  void run_timers();
  void run_posted();

  base::SystemClock clock_;
  uint64_t next_id_ = 1;
  std::map<std::pair<base::MonotonicTime, uint64_t>, std::function<void()>> timers_;
  std::map<uint64_t, Watch> watches_;
  base::Fd wake_;  // eventfd: post() from another thread
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace flotilla::bus
