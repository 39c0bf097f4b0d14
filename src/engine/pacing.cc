#include "engine/pacing.h"

#include <algorithm>

namespace flotilla::engine {

namespace {

constexpr int kWaitPerAnswer = 3;
constexpr base::Micros kLongestWait = std::chrono::milliseconds(30);

}  // namespace

base::Micros Pacing::wait(base::MonotonicTime now) const {
  const base::Micros whole = sent_ + std::min(took_ * kWaitPerAnswer, kLongestWait) - now;
  return std::max(base::Micros(0), whole);
}

}  // namespace flotilla::engine
