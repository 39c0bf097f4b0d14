// The flags of fleetctl and how a command line is read: flags may stand before, between and after
// the arguments, as --flag, --flag=value or --flag value; "--" ends them; a command may be
// shortened to an unambiguous prefix. Flags that any command has are accepted by every command,
// since scripts pass them. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::fctl {

struct Flag {
  std::string_view name;     // without dashes
  bool takes_value;          // otherwise a boolean
  std::string_view initial;  // "true" or "false" for booleans
  std::string_view meaning;  // one line of help
  bool global;               // may also be set as FLEETCTL_<NAME>
};

const std::vector<Flag>& all_flags();

class Flags {
 public:
  // The value given, or the flag's initial one. Requires: the flag is in all_flags().
  const std::string& text(std::string_view name) const;
  bool is_set(std::string_view name) const;  // of a boolean: whether it is true
  bool was_given(std::string_view name) const { return given_.count(std::string(name)) != 0; }
  // Errors: kInvalid if the value is no number.
  base::Result<int> number(std::string_view name) const;

  void set(std::string_view name, std::string value);

 private:
  std::map<std::string, std::string, std::less<>> given_;
};

struct CommandLine {
  std::string command;  // as written, or empty
  std::vector<std::string> arguments;
  Flags flags;
};

// `environment` answers for FLEETCTL_* variables; empty values count as unset, the command line
// wins. Errors: kInvalid ("unknown flag: --x").
base::Result<CommandLine> parse_command_line(
    const std::vector<std::string>& words,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

}  // namespace flotilla::fctl
