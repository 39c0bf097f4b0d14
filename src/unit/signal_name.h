// Signals by name and number. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flotilla::unit {

// "SIGTERM", "TERM", "15", "RTMIN+3", "SIGRTMAX-1". Nothing if there is no such signal.
std::optional<int> find_signal(std::string_view text);

// Without "SIG": "TERM", "RTMIN+3"; the number itself for what is no signal.
std::string signal_name(int signal);

}  // namespace flotilla::unit
