#include "init/unit_actions.h"

#include <algorithm>
#include <array>

namespace flotilla::init {
namespace {

constexpr std::array<std::string_view, 10> kNames = {
    "none",     "reboot",         "reboot-force",       "reboot-immediate",
    "poweroff", "poweroff-force", "poweroff-immediate", "halt-force",
    "exit",     "exit-force"};

}  // namespace

std::string_view to_string(EmergencyAction action) noexcept {
  return kNames[static_cast<size_t>(action)];
}

std::optional<EmergencyAction> parse_emergency_action(std::string_view name) noexcept {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<EmergencyAction>(found - kNames.begin());
}

}  // namespace flotilla::init
