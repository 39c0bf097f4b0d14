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
  // What ends the reading of a file, and makes the unit of a fragment unusable. The unit is then
  // shown as one with a bad setting, or as one that could not be loaded.
  std::string fatal;
  bool is_load_error = false;
};

struct SettingContext {
  const unit::SpecifierContext& specifiers;
  const unit::Reporter& reporter;
  std::string_view key;
  SettingMarks& marks;
  bool is_user_manager = false;

  void warn_bad_value(std::string_view value) const;
  void end_file(std::string why) const;  // says so, and nothing more of this file is read
  // Both warn and give nothing for a value that cannot be read.
  std::optional<bool> read_flag(std::string_view value) const;
  std::optional<std::string> expand(std::string_view value) const;  // the specifiers in it
  // For what a program must not run without: with an unknown specifier it ends the file.
  std::optional<std::string> expand_or_end_file(std::string_view value) const;
};

}  // namespace flotilla::init
