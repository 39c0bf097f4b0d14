// StartLimitIntervalSec= and StartLimitBurst=: how often a unit may be started, by hand or by
// itself. Owned by a unit; times come from outside. Never allocates.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace flotilla::init {

// A window opens with the first start and counts those in it; the next start after its end opens a
// new one. Plain data: it stands in the state file.
struct StartLimit {
  base::MonotonicTime begin{};
  uint32_t count = 0;

  // Counts a start and says whether it may go on. An interval or burst of zero: always.
  // Requires: times do not go back.
  bool admit(base::MonotonicTime now, base::Micros interval, uint32_t burst) noexcept;
  void reset() noexcept { *this = {}; }
};

}  // namespace flotilla::init
