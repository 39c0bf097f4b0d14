// The clock seam. Nothing in the tree asks the kernel for the time but through a Clock, so that
// tests run whole lives of services and clusters in virtual time.
#pragma once

#include <chrono>

namespace flotilla::base {

using Micros = std::chrono::microseconds;

// Time points are microseconds since the clock's epoch. The types do not convert into each other.
struct MonotonicTag {};
struct WallTag {};
struct BoottimeTag {};

template <typename Tag>
struct TimePoint {
  Micros since_epoch{0};

  static constexpr TimePoint never() { return {Micros::max()}; }
  constexpr bool is_never() const { return since_epoch == Micros::max(); }
  constexpr bool is_set() const { return since_epoch.count() != 0; }
  friend constexpr auto operator<=>(const TimePoint&, const TimePoint&) = default;
  // Saturates: never() + anything is never().
  friend constexpr TimePoint operator+(TimePoint t, Micros d) {
    if (t.is_never() || d == Micros::max()) return never();
    if (d.count() > 0 && t.since_epoch.count() > Micros::max().count() - d.count()) return never();
    return {t.since_epoch + d};
  }
  friend constexpr Micros operator-(TimePoint a, TimePoint b) {
    return a.since_epoch - b.since_epoch;
  }
};

using MonotonicTime = TimePoint<MonotonicTag>;  // CLOCK_MONOTONIC: deadlines
using WallTime = TimePoint<WallTag>;            // CLOCK_REALTIME: shown to people
using BoottimeTime = TimePoint<BoottimeTag>;    // CLOCK_BOOTTIME: goes on in suspend; leases

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime monotonic() const = 0;
  virtual WallTime wall() const = 0;
  virtual BoottimeTime boottime() const = 0;
};

// The kernel's clocks; stateless.
class SystemClock final : public Clock {
 public:
  MonotonicTime monotonic() const override;
  WallTime wall() const override;
  BoottimeTime boottime() const override;
};

// A clock that stands still until told otherwise.
class FakeClock : public Clock {
 public:
  MonotonicTime monotonic() const override { return monotonic_; }
  WallTime wall() const override { return wall_; }
  BoottimeTime boottime() const override { return {monotonic_.since_epoch}; }
  void advance(Micros by) {
    monotonic_.since_epoch += by;
    wall_.since_epoch += by;
  }
  void set_wall(WallTime to) { wall_ = to; }

 private:
  MonotonicTime monotonic_{Micros(1'000'000)};
  WallTime wall_{Micros(1'700'000'000'000'000)};
};

}  // namespace flotilla::base
