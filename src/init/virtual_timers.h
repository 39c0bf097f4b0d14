// Timers in virtual time, for tests: nothing happens until advance(). Stands beside timers.h.
#pragma once

#include "base/clock.h"
#include "init/timers.h"

namespace flotilla::init {

class VirtualTimers final : public Timers {
 public:
  const base::Clock& clock() const noexcept override { return clock_; }
  base::FakeClock& fake_clock() noexcept { return clock_; }

  void arm(Timer& timer, base::MonotonicTime deadline) noexcept override {
    heap_.push(timer, deadline);
  }
  void cancel(Timer& timer) noexcept override { heap_.remove(timer); }

  // Moves time forward, stopping at every deadline on the way. A timer armed meanwhile for a time
  // not after the end fires too.
  void advance(base::Micros by);
  // Moves time to the next deadline, at most `limit` ahead, and fires what is due; false if nothing
  // was armed within it.
  bool advance_to_next(base::Micros limit = base::Micros::max());

  size_t armed() const noexcept { return heap_.size(); }
  base::MonotonicTime next_deadline() const noexcept { return heap_.earliest(); }

 private:
  void fire_due();

  base::FakeClock clock_;
  TimerHeap heap_;
};

}  // namespace flotilla::init
