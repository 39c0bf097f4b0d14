// Gathering: how long a leader lets new units come together before it decides on them. Where the
// store has all it can do, units that come one after the other go out many at a time: a machine
// hears of its share in one message, and reports it in one write. Where the store answers at once
// this is no time at all, and nothing waits when no more units come.
//
// Pure but for what it remembers; time comes in with each call.
#pragma once

#include "base/clock.h"

namespace flotilla::engine {

class Gathering {
 public:
  // Units have come that are to be scheduled, and nothing else has changed.
  void on_new_units(base::MonotonicTime now);
  // Something has changed that must not wait: nothing does until the next decision.
  void hurry() { is_urgent_ = true; }
  void on_decision();
  // A transaction with decisions was answered `took` after it was sent.
  void on_answer(base::MonotonicTime now, base::Micros took);

  // How long the next decision has to wait still; 0: not at all.
  base::Micros wait(base::MonotonicTime now) const;

 private:
  bool is_open_ = false;
  bool is_urgent_ = false;
  base::MonotonicTime came_{};      // the last of the new units
  base::MonotonicTime answered_{};  // the last transaction
  base::Micros took_{0};
};

}  // namespace flotilla::engine
