// The uptime column: when a unit became active, and for how long it has been. Pure, but for the
// local time zone.
#pragma once

#include <chrono>
#include <string>

namespace flotilla::fctl {

// "2015-07-06 07:38:38 AM UTC, Since 11m39s", in local time.
std::string uptime_text(std::chrono::microseconds since, std::chrono::microseconds now);

// As Go prints durations of whole seconds: "39s", "11m39s", "1h0m3s". Never negative.
std::string go_duration(std::chrono::seconds duration);

}  // namespace flotilla::fctl
