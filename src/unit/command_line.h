// The command lines of ExecStart= and its like: systemd's prefixes, quotes, escapes, ";" between
// commands, "%" specifiers; and, at the time a process starts, "$" variables. Pure: looking a bare
// program name up in the search path is for the caller.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "unit/diagnostic.h"
#include "unit/environment.h"
#include "unit/packed_words.h"
#include "unit/specifier.h"

namespace flotilla::unit {

// Where a program without "/" is looked for, in this order.
inline constexpr std::array<std::string_view, 6> kProgramSearchPath = {
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

class Command {
 public:
  enum class Privilege : std::uint8_t {
    kAsConfigured,
    kFull,      // "+": no User=, no sandboxing
    kNoSetuid,  // "!": sandboxing, but User= and the like are not applied
    kAmbient,   // "!!": as "!" where ambient capabilities are missing, else as without
  };

  Command() = default;
  Command(std::string_view program, PackedWords arguments) {
    set_words(program, std::move(arguments));
  }
  // Requires: neither is empty.
  void set_words(std::string_view program, PackedWords arguments);

  // Absolute, or a bare name for the search path; never empty.
  std::string_view path() const noexcept { return path_.empty() ? argv.front() : path_.front(); }

  PackedWords argv;  // never empty; variables not yet expanded

 private:
  PackedWords path_;  // one word; empty: as the first of argv

 public:
  bool ignore_failure = false;   // "-"
  bool expand_variables = true;  // false with ":"
  Privilege privilege = Privilege::kAsConfigured;
  bool is_freed = false;  // PermissionsStartOnly=: runs as with "+", which is not shown

  Privilege effective_privilege() const noexcept { return is_freed ? Privilege::kFull : privilege; }

  bool operator==(const Command&) const = default;
};

// The words `systemctl show` prints for ExecStartEx: "ignore-failure", "privileged", "no-setuid",
// "ambient", "no-env-expand", in this order.
std::vector<std::string_view> flag_names(const Command& command);

// One setting's value (not empty: an empty one resets the list, which is the caller's). A command
// that cannot be used is an error, and makes the unit bad; behind a "-" it is only reported and the
// rest of the line is left out. Unknown escapes keep their backslash and are reported.
base::Result<std::vector<Command>> parse_command_line(std::string_view value,
                                                      const SpecifierContext& context,
                                                      const Reporter& reporter);

// The final arguments. "$NAME" as a word of its own becomes as many words as its value has,
// "${NAME}" is replaced in place, "$$" is "$"; a name that is not set gives nothing. With
// command.expand_variables off, argv as it is.
std::vector<std::string> expand_arguments(const Command& command, const Environment& environment);

}  // namespace flotilla::unit
