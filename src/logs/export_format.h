// Log entries in the forms of `journalctl -o`. Those that show the time since boot are missing: the
// log does not keep that. Pure, but for the time zone of the process.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "logs/reader.h"

namespace flotilla::logs {

enum class LogForm {
  kShort,
  kShortPrecise,
  kShortFull,
  kShortIso,
  kShortIsoPrecise,
  kShortUnix,
  kWithUnit,
  kCat,
  kVerbose,
  kExport,
  kJson,
  kJsonPretty,
  kJsonSse,
  kJsonSeq,
};
// journalctl's names of them; nothing for others.
std::optional<LogForm> parse_log_form(std::string_view name);
// All of the names, as a sentence has them: "short, ... or json-seq".
std::string log_form_names();

// Where an entry comes from, which it does not know itself.
struct LogOrigin {
  std::string host, unit;
};

// Whole lines, of kExport bytes. JSON is one object per line, or indented; a value that is no
// printable UTF-8 is an array of its bytes there, and a field that comes more than once an array of
// its values.
std::string format_entry(const Entry& entry, LogForm form, const LogOrigin& origin);

}  // namespace flotilla::logs
