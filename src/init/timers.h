// The clock-and-timer seam of the service manager: whole lives of services run in virtual time
// behind it. The Loop implements it with one timerfd, VirtualTimers (virtual_timers.h) without the
// kernel; both pass timers_conformance.h.
//
// Loop thread only. Arming and cancelling never allocate.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "init/callback.h"

namespace flotilla::init {

// One deadline, owned by whoever waits for it; a member of a service, a job, a bus connection. It
// cancels itself when destroyed, and must not outlive the Timers it was armed with.
class Timer {
 public:
  explicit Timer(Callback<void()> on_expiry) noexcept : on_expiry_(on_expiry) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool is_armed() const noexcept { return heap_ != nullptr; }
  // never() while not armed.
  base::MonotonicTime deadline() const noexcept {
    return is_armed() ? deadline_ : base::MonotonicTime::never();
  }

 private:
  friend class TimerHeap;

  Callback<void()> on_expiry_;
  base::MonotonicTime deadline_{};
  uint64_t order_ = 0;  // equal deadlines fire in the order they were armed
  class TimerHeap* heap_ = nullptr;
  // Pairing heap: the first child, the next sibling, and the sibling before (or the parent, for a
  // first child).
  Timer* child_ = nullptr;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
};

class Timers {
 public:
  virtual ~Timers() = default;

  virtual const base::Clock& clock() const noexcept = 0;

  // Calls the timer's callback once, at `deadline` or as soon after it as the loop is free; never
  // from inside arm(), not even for a deadline that has passed. An armed timer is moved. never()
  // cancels.
  virtual void arm(Timer& timer, base::MonotonicTime deadline) noexcept = 0;
  // The callback will not be called. Harmless on a timer that is not armed.
  virtual void cancel(Timer& timer) noexcept = 0;

  void arm_after(Timer& timer, base::Micros delay) noexcept {
    arm(timer, clock().monotonic() + delay);
  }
};

// The earliest of many timers: an intrusive pairing heap. Owned by an implementation of Timers.
class TimerHeap {
 public:
  TimerHeap() noexcept = default;
  ~TimerHeap();  // disarms what is left
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;

  void push(Timer& timer, base::MonotonicTime deadline) noexcept;  // moves it if it is in already
  void remove(Timer& timer) noexcept;
  bool is_empty() const noexcept { return root_ == nullptr; }
  size_t size() const noexcept { return size_; }
  // never() if empty.
  base::MonotonicTime earliest() const noexcept {
    return root_ == nullptr ? base::MonotonicTime::never() : root_->deadline_;
  }
  // Calls the earliest timer if it is due at `now` and was armed before next_order() was
  // `before_order`; false if not. So a callback that arms a timer for the past cannot keep a turn
  // from ending.
  bool fire_one(base::MonotonicTime now, uint64_t before_order);
  uint64_t next_order() const noexcept { return next_order_; }

 private:
  static bool is_before(const Timer& a, const Timer& b) noexcept;
  static Timer* meld(Timer* a, Timer* b) noexcept;
  static Timer* meld_siblings(Timer* first) noexcept;

  Timer* root_ = nullptr;
  uint64_t next_order_ = 1;
  size_t size_ = 0;
};

}  // namespace flotilla::init
