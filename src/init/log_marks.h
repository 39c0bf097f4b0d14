// What the log process is to know of a unit's lines beyond their text and level: SyslogFacility=,
// LogExtraFields=, LogNamespace=, LogRateLimitIntervalSec= and LogRateLimitBurst=. Pure; most units
// have none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "init/exec_extras.h"

namespace flotilla::init {

struct LogMarks {
  std::string fields;  // "NAME=VALUE", a NUL between two
  uint64_t rate_interval_usec = 0;
  uint32_t rate_burst = 0;
  std::string log_namespace;  // LogNamespace=
  uint32_t left_out = 0;      // fields beyond what the log process takes
};

// The name under which the log process keeps the lines of a unit in a namespace of logs. No unit
// has such a name.
inline std::string name_in_namespace(std::string_view log_namespace, std::string_view unit) {
  return std::string(log_namespace).append("=").append(unit);
}

// Null: none of them is set.
std::unique_ptr<LogMarks> marks_of(const ExecExtras& extras);

}  // namespace flotilla::init
