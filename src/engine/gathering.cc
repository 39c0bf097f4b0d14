#include "engine/gathering.h"

#include <algorithm>

namespace flotilla::engine {

namespace {

// All in terms of how long the store takes for a transaction.
constexpr int kWaitPerAnswer = 3;
constexpr int kQuietPartOfAnswer = 8;
constexpr base::Micros kLongestWait = std::chrono::seconds(2);

}  // namespace

void Gathering::on_new_units(base::MonotonicTime now) {
  is_open_ = true;
  came_ = now;
}

void Gathering::on_decision() {
  is_open_ = false;
  is_urgent_ = false;
}

void Gathering::on_answer(base::MonotonicTime now, base::Micros took) {
  answered_ = now;
  took_ = took;
}

base::Micros Gathering::wait(base::MonotonicTime now) const {
  if (!is_open_ || is_urgent_) return base::Micros(0);
  const base::Micros quiet = came_ + took_ / kQuietPartOfAnswer - now;
  const base::Micros whole = answered_ + std::min(took_ * kWaitPerAnswer, kLongestWait) - now;
  return std::max(base::Micros(0), std::min(quiet, whole));
}

}  // namespace flotilla::engine
