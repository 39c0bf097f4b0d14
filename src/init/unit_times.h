// UnitTimes: when what happened to a unit. Most of it happens at a few instants, to most units but
// once: each instant is kept once, and there is room for those alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/compact_vector.h"

namespace flotilla::init {

// One instant on both clocks; zero where it never happened.
struct Timestamps {
  base::WallTime wall;
  base::MonotonicTime monotonic;
  bool is_set() const { return monotonic.is_set(); }
  friend bool operator==(const Timestamps&, const Timestamps&) = default;
};

enum class UnitMoment : uint8_t {
  kStateChange,  // ActiveState's last
  // The four transitions systemd keeps:
  kInactiveExit,
  kActiveEnter,
  kActiveExit,
  kInactiveEnter,
  // The last evaluation of conditions and assertions:
  kCondition,
  kAssert,
  kCount,
};

class UnitTimes {
 public:
  // Unset where it never happened.
  Timestamps operator[](UnitMoment which) const noexcept {
    const uint8_t place = places_[static_cast<size_t>(which)];
    return place == 0 ? Timestamps() : instants_[place - 1U];
  }
  void set(UnitMoment which, const Timestamps& time) {
    uint8_t& place = places_[static_cast<size_t>(which)];
    place = 0;
    if (time.is_set()) place = place_of(time);
  }

 private:
  uint8_t place_of(const Timestamps& time) {
    size_t at = instants_.size();
    for (size_t i = 0; i < instants_.size(); ++i) {
      const bool is_free = std::find(places_.begin(), places_.end(), i + 1) == places_.end();
      if (!is_free && instants_[i] == time) return static_cast<uint8_t>(i + 1);
      if (is_free) at = i;
    }
    if (at == instants_.size()) {
      instants_.reserve(at + 1);
      instants_.push_back(time);
    } else {
      instants_[at] = time;
    }
    return static_cast<uint8_t>(at + 1);
  }

  base::CompactVector<Timestamps> instants_;
  std::array<uint8_t, static_cast<size_t>(UnitMoment::kCount)> places_{};  // from one on; 0: never
};

}  // namespace flotilla::init
