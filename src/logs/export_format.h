// Log entries with all that is known of them, as `journalctl -o verbose`, `-o json` and `-o cat`
// print them. Pure, but for the time zone of the process.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "logs/reader.h"

namespace flotilla::logs {

enum class LogForm { kShort, kCat, kJson, kVerbose };
// journalctl's names of them; nothing for others.
std::optional<LogForm> parse_log_form(std::string_view name);

// Where an entry comes from, which it does not know itself.
struct LogOrigin {
  std::string host, unit;
};

// Whole lines. JSON is one object per line; a value that is no printable UTF-8 is an array of its
// bytes there, and a field that comes more than once an array of its values.
std::string format_entry(const Entry& entry, LogForm form, const LogOrigin& origin);

}  // namespace flotilla::logs
