// What the parsers of directives share: where a value stands, and what the lines before it said
// that the settings themselves cannot tell. Owned by the loader for the length of one load.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "init/unit_settings.h"
#include "unit/diagnostic.h"
#include "unit/environment.h"
#include "unit/specifier.h"

namespace flotilla::init {

// What has been written explicitly; defaults depend on it.
struct SettingMarks {
  bool timeout_start = false;
  bool timeout_stop = false;
  bool job_running_timeout = false;
  bool notify_access = false;
  bool type = false;
  bool standard_input = false;
  bool standard_output = false;
  bool standard_error = false;
  bool kill_mode = false;
  // Holds nothing between the lines but where the names of Environment= stand.
  unit::Environment environment;
  bool oom_policy = false;
  bool permissions_start_only = false;
  std::string fatal;  // the first error that makes the unit unusable
};

struct SettingContext {
  const unit::SpecifierContext& specifiers;
  const unit::Reporter& reporter;
  std::string_view key;
  SettingMarks& marks;
  bool is_user_manager = false;

  void warn_bad_value(std::string_view value) const;
  // Both warn and give nothing for a value that cannot be read.
  std::optional<bool> read_flag(std::string_view value) const;
  std::optional<std::string> expand(std::string_view value) const;  // the specifiers in it
};

}  // namespace flotilla::init
