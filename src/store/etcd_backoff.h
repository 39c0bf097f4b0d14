// How long to wait before the next attempt: twice as long each time, up to a limit, and never the
// same for two daemons, so that a thousand of them do not come back at one moment.
#pragma once

#include <algorithm>
#include <random>

#include "base/clock.h"

namespace flotilla::store {

class EtcdBackoff {
 public:
  EtcdBackoff(base::Micros first, base::Micros longest, uint32_t seed)
      : first_(first), longest_(longest), next_(first), random_(seed) {}

  // Between a half and the whole of the step.
  base::Micros next() {
    const auto step = next_.count();
    next_ = std::min(next_ * 2, longest_);
    return base::Micros(std::uniform_int_distribution<int64_t>(step / 2, step)(random_));
  }
  void reset() { next_ = first_; }

 private:
  base::Micros first_;
  base::Micros longest_;
  base::Micros next_;
  std::minstd_rand random_;
};

}  // namespace flotilla::store
