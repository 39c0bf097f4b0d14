#include "sandbox/syscall_filter.h"

#include <cstring>

#include "sandbox/syscall_groups.h"
#include "unit/scalar.h"

namespace flotilla::sandbox {
namespace {

constexpr int kMaxErrno = 4095;

}  // namespace

std::optional<int> parse_errno_or_kill(std::string_view text) {
  if (text == "kill") return kKillProcess;
  if (const auto number = unit::parse_integer(text, 0, kMaxErrno)) return static_cast<int>(*number);
  for (int error = 1; error < 256; ++error) {
    const char* const name = ::strerrorname_np(error);
    if (name != nullptr && text == name) return error;
  }
  return std::nullopt;
}

std::string errno_or_kill_name(int error) {
  if (error == kKillProcess) return "kill";
  const char* const name = ::strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

std::optional<SystemCallWord> parse_syscall_word(std::string_view word) {
  SystemCallWord parsed;
  const size_t colon = word.find(':');
  parsed.name = std::string(word.substr(0, colon));
  if (parsed.name.empty()) return std::nullopt;
  if (colon == std::string_view::npos) return parsed;
  parsed.error = parse_errno_or_kill(word.substr(colon + 1));
  if (!parsed.error) return std::nullopt;
  return parsed;
}

SystemCallFilter expand_syscall_filter(const std::vector<std::string>& words,
                                       DefaultCalls default_calls) {
  SystemCallFilter filter;
  if (words.empty()) return filter;
  filter.is_set = true;
  filter.is_allow_list = words.front().substr(0, 1) != "~";
  const auto add = [&](const std::string& name, std::optional<int> error, bool is_inverted) {
    // A call of the other kind takes one off the list, unless it says how it is refused.
    if (is_inverted == filter.is_allow_list && !error) {
      filter.calls.erase(name);
    } else {
      filter.calls[name] = error;
    }
  };
  if (filter.is_allow_list && default_calls == DefaultCalls::kAdded) {
    for (const std::string& name : syscalls_of_group("@default")) add(name, {}, false);
  }
  for (std::string_view text : words) {
    const bool is_inverted = text.substr(0, 1) == "~";
    if (is_inverted) text.remove_prefix(1);
    const auto word = parse_syscall_word(text);
    if (!word) continue;
    if (word->name[0] != '@') {
      add(word->name, word->error, is_inverted);
      continue;
    }
    for (const std::string& name : syscalls_of_group(word->name)) {
      add(name, word->error, is_inverted);
    }
  }
  return filter;
}

}  // namespace flotilla::sandbox
