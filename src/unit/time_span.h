// Spans of time as systemd writes and reads them: "1min 30s", "2h", "1.5s", "infinity". Pure.
// Everything is in microseconds; kInfinite stands for "infinity", which the bus carries as 2^64-1.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

using TimeSpan = std::chrono::microseconds;

inline constexpr TimeSpan kInfinite = TimeSpan::max();

// Units: y month(M) w d h m(min) s ms us, and their longer names; a number without one counts in
// `default_unit`. Errors: kInvalid for what is no span, a negative one, or one beyond 292,000
// years.
base::Result<TimeSpan> parse_time_span(std::string_view text,
                                       TimeSpan default_unit = std::chrono::seconds(1));

// As parse_time_span, but 0 means "infinity", as for most time-outs of services.
base::Result<TimeSpan> parse_timeout(std::string_view text,
                                     TimeSpan default_unit = std::chrono::seconds(1));

// "1min 30s", "100ms", "1.500000s", "0", "infinity". What is below the accuracy is left out, unless
// nothing else is there. Requires: accuracy is a power of ten of microseconds, or whole seconds.
std::string format_time_span(TimeSpan span, TimeSpan accuracy = TimeSpan(1));

// The number on the bus: microseconds, 2^64-1 for kInfinite; negative spans give 0.
constexpr std::uint64_t to_usec(TimeSpan span) noexcept {
  if (span == kInfinite) return UINT64_MAX;
  return span.count() < 0 ? 0 : static_cast<std::uint64_t>(span.count());
}
constexpr TimeSpan from_usec(std::uint64_t usec) noexcept {
  return usec >= static_cast<std::uint64_t>(kInfinite.count())
             ? kInfinite
             : TimeSpan(static_cast<std::int64_t>(usec));
}

}  // namespace flotilla::unit
