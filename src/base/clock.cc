#include "base/clock.h"

#include <ctime>

namespace flotilla::base {
namespace {

Micros read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) +
         std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

MonotonicTime SystemClock::monotonic() const { return {read_clock(CLOCK_MONOTONIC)}; }
WallTime SystemClock::wall() const { return {read_clock(CLOCK_REALTIME)}; }
BoottimeTime SystemClock::boottime() const { return {read_clock(CLOCK_BOOTTIME)}; }

}  // namespace flotilla::base
