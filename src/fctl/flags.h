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
  enum class Kind { kBoolean, kText, kNumber, kSeconds };
  enum class Scope { kGlobal, kCommand };

  std::string_view name;  // without dashes
  Kind kind;
  std::string_view initial;  // "true" or "false" for booleans
  std::string_view meaning;  // one line of help
  Scope scope;               // global ones may also be set as FLEETCTL_<NAME>
};

const std::vector<Flag>& all_flags();

class Flags {
 public:
  // The value given, or the flag's initial one. Requires: the flag is in all_flags().
  const std::string& text(std::string_view name) const;
  bool is_set(std::string_view name) const;  // of a boolean: whether it is true
  bool was_given(std::string_view name) const { return given_.find(name) != given_.end(); }
  int number(std::string_view name) const;      // Requires: a kNumber
  double seconds(std::string_view name) const;  // Requires: a kSeconds

  void set(std::string_view name, std::string value);

 private:
  std::map<std::string, std::string, std::less<>> given_;
};

struct CommandLine {
  std::string command;  // as written, or empty
  std::vector<std::string> arguments;
  Flags flags;
  std::vector<std::string> flags_in_words;  // names of those that were on the line, in order
  std::vector<std::string> warnings;        // of variables whose values mean nothing
};

// `environment` answers for FLEETCTL_* variables; empty values count as unset, the command line
// wins, and a value that a flag cannot have is passed over, as fleet's does. Errors: kInvalid
// ("unknown flag: --x"); `line` then holds what was read before it.
base::Status parse_command_line(
    const std::vector<std::string>& words,
    const std::function<std::optional<std::string>(const std::string&)>& environment,
    CommandLine& line);

// Flags that a mistyped one may have meant, with their dashes.
std::vector<std::string> flags_like(std::string_view word);

// How many letters must be changed, added or left out to get from one word to the other.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace flotilla::fctl
