// fleetd's log on stderr: "LEVEL file.cc:LINE: message" with fleet's words for the levels, which
// scripts look for, or one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flotilla::fleetd {

enum class LogFormat : uint8_t { kText, kJson };

// For all that is logged from now on.
void set_up_logging(LogFormat format);

// The text as a JSON string without its quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_escaped(std::string_view text);

}  // namespace flotilla::fleetd
