// SystemCallFilter= and SystemCallLog=: from the words of unit files to calls. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/settings.h"

namespace flotilla::sandbox {

struct SystemCallFilter {
  bool is_set = false;
  // The calls are allowed and all others refused, or the other way round.
  bool is_allow_list = false;
  // With the errno (or kKillProcess) of those that have one of their own.
  std::map<std::string, std::optional<int>> calls;
};

// "name", "name:EPERM", "@set:kill", "name:1".
struct SystemCallWord {
  std::string name;
  std::optional<int> error;
};
std::optional<SystemCallWord> parse_syscall_word(std::string_view word);

// An errno by name or number, or "kill".
std::optional<int> parse_errno_or_kill(std::string_view text);
std::string errno_or_kill_name(int error);

enum class DefaultCalls : uint8_t { kAdded, kLeftOut };  // @default, to an allow list
// The words as Settings keeps them, the first of which decides what kind of list it is.
SystemCallFilter expand_syscall_filter(const std::vector<std::string>& words,
                                       DefaultCalls default_calls = DefaultCalls::kAdded);

}  // namespace flotilla::sandbox
