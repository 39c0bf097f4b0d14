#include "unit/oneshot.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace flotilla::unit {

namespace {

// systemd's words for it, in any case.
bool is_true(std::string_view value) {
  constexpr std::array<std::string_view, 5> kWords = {"1", "yes", "y", "true", "on"};
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
    return std::equal(value.begin(), value.end(), word.begin(), word.end(),
                      [&](char a, char b) { return lower(a) == b; });
  });
}

}  // namespace

bool is_oneshot(const std::vector<UnitOption>& options) {
  bool is_of_type = false;
  bool remains = false;
  for (const UnitOption& option : options) {
    if (option.section != "Service") continue;
    if (option.name == "Type") is_of_type = option.value == "oneshot";
    if (option.name == "RemainAfterExit") remains = is_true(option.value);
  }
  return is_of_type && !remains;
}

}  // namespace flotilla::unit
