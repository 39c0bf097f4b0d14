// Reads a unit file or drop-in by systemd's grammar: sections, Key=value, "#" and ";" comments
// (also between the lines of a continuation), "\" at a line's end to go on, LF or CRLF, a BOM.
// Values stay as written; what they mean is for the reader of each setting. Pure.
//
// A line that is no setting costs that line: it is reported and the rest counts. What makes the
// file as a whole unusable is the error of the Result, as in systemd: more than kMaxUnitFileSize
// bytes (ENOBUFS in error_number), a section header that does not close (EBADMSG), a line that is
// not UTF-8, a NUL byte (EINVAL).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "unit/diagnostic.h"

namespace flotilla::unit {

inline constexpr std::size_t kMaxUnitFileSize = 1024UL * 1024;

struct Setting {
  std::string section;
  std::string key;
  std::string value;  // without blanks at the ends; empty means "reset" where a setting is a list
  unsigned line = 0;  // where it begins, counted from 1

  bool operator==(const Setting&) const = default;
};

struct UnitFile {
  std::string file;
  std::vector<Setting> settings;      // in order; keys and sections may repeat
  std::vector<std::string> sections;  // every section that occurs, once, also those with nothing in
  std::vector<Diagnostic> diagnostics;  // in order of lines
};

// `file` is the name for messages.
base::Result<UnitFile> parse_unit_file(std::string_view bytes, std::string_view file);

// For other programs: a section or key that begins with "X-" is never complained about.
bool is_foreign(std::string_view section_or_key) noexcept;

}  // namespace flotilla::unit
