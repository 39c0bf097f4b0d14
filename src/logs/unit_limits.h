// What a unit's files say of the lines its programs log by themselves (LogLevelMax=,
// LogRateLimitIntervalSec=, LogRateLimitBurst=, LogExtraFields=): read from where the manager has
// written it, links and a file below /run/systemd/units. Owned by the log process. Never
// allocates; libc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "logs/protocol.h"
#include "logs/rate_limit.h"

namespace flotilla::logs {

inline constexpr std::size_t kMaxFacilityField = 32;

class UnitLimits {
 public:
  // Forgets those of the unit before. What is not there, or is damaged, limits nothing.
  void load(int directory, const char* unit) noexcept;
  void clear() noexcept;
  bool are_none() const noexcept {
    return priority_max_ == kPriorityMax && !rate_.is_set() && fields_size_ == 0;
  }

  std::uint8_t priority_max() const noexcept { return priority_max_; }
  const RateLimit::Rule& rate() const noexcept { return rate_; }
  // "NAME=VALUE", a NUL between two; with room left for the facility of a line.
  std::string_view fields() const noexcept { return {fields_, fields_size_}; }

 private:
  std::uint8_t priority_max_ = kPriorityMax;
  RateLimit::Rule rate_;
  std::size_t fields_size_ = 0;
  char fields_[kMaxFields - kMaxFacilityField];
};

// A number of digits alone, at most `max`; `otherwise` for everything else.
std::uint64_t number_of_link(std::string_view text, std::uint64_t max,
                             std::uint64_t otherwise) noexcept;

// Fields, each behind its size in 64 bits (little-endian), to "NAME=VALUE" with a NUL between two.
// Stops at one that is damaged, and at one there is no room for. Returns the size.
std::size_t join_fields(std::string_view file, char* out, std::size_t capacity) noexcept;

}  // namespace flotilla::logs
