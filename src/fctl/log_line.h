// Warnings in the form of fleet's log lines, which scripts filter: "2006/01/02 15:04:05 WARN
// file:line: text".
#pragma once

#include <string>
#include <string_view>

namespace flotilla::fctl {

// The present local time is put in front.
std::string warning_line(std::string_view text);
std::string info_line(std::string_view text);
std::string debug_line(std::string_view text);

}  // namespace flotilla::fctl
