// Log entries as `journalctl -o short` prints them. Pure, but for the time zone of the process.
#pragma once

#include <string>
#include <string_view>

#include "logs/reader.h"

namespace flotilla::logs {

// "Nov 21 03:33:11 host identifier[pid]: message\n". Control characters but tabs are shown as
// "\xNN", since a log is printed to terminals.
std::string format_short(const Entry& entry, std::string_view host);

}  // namespace flotilla::logs
