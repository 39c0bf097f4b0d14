// Log entries as `journalctl -o short` and its relatives print them. Pure, but for the time zone of
// the process.
#pragma once

#include <string>
#include <string_view>

#include "logs/reader.h"

namespace flotilla::logs {

// "Nov 21 03:33:11 host identifier[pid]: message\n". Control characters but tabs are shown as
// "\xNN", since a log is printed to terminals.
std::string format_short(const Entry& entry, std::string_view host);

// How a line begins: as "Nov 21 03:33:11", the same with microseconds, "Fri 2025-11-21 03:33:11
// UTC", "2025-11-21T03:33:11+0000", the same with microseconds, or "1763695991.000456".
enum class ShortTime { kPlain, kPrecise, kFull, kIso, kIsoPrecise, kUnix };
// The same with another time, and with `name` in the place of the identifier.
std::string format_short(const Entry& entry, std::string_view host, ShortTime time,
                         std::string_view name);

}  // namespace flotilla::logs
