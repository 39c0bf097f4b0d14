#include "init/unit_state.h"

#include <array>
#include <cstddef>

namespace flotilla::init {
namespace {

using std::string_view_literals::operator""sv;

// Each in the order of its enum.
constexpr std::array kActiveStates{"inactive"sv,     "active"sv, "reloading"sv,  "activating"sv,
                                   "deactivating"sv, "failed"sv, "maintenance"sv};
constexpr std::array kSubStates{"dead"sv,
                                "condition"sv,
                                "start-pre"sv,
                                "start"sv,
                                "start-post"sv,
                                "running"sv,
                                "exited"sv,
                                "reload"sv,
                                "stop"sv,
                                "stop-watchdog"sv,
                                "stop-sigterm"sv,
                                "stop-sigkill"sv,
                                "stop-post"sv,
                                "final-watchdog"sv,
                                "final-sigterm"sv,
                                "final-sigkill"sv,
                                "failed"sv,
                                "auto-restart"sv,
                                "cleaning"sv,
                                "reload-signal"sv,
                                "reload-notify"sv,
                                "mounting"sv,
                                "mounting-done"sv,
                                "mounted"sv,
                                "remounting"sv,
                                "remounting-sigterm"sv,
                                "remounting-sigkill"sv,
                                "unmounting"sv,
                                "unmounting-sigterm"sv,
                                "unmounting-sigkill"sv};
constexpr std::array kResults{"success"sv,         "resources"sv, "protocol"sv,      "timeout"sv,
                              "exit-code"sv,       "signal"sv,    "core-dump"sv,     "watchdog"sv,
                              "start-limit-hit"sv, "oom-kill"sv,  "exec-condition"sv};
static_assert(kActiveStates.size() == static_cast<size_t>(ActiveState::kMaintenance) + 1);
static_assert(kSubStates.size() == static_cast<size_t>(ServiceSubState::kLast) + 1);
static_assert(kResults.size() == static_cast<size_t>(ServiceResult::kExecCondition) + 1);

// The numbers come from a file too: one that is out of range has no name.
template <size_t N, typename Enum>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<size_t>(value);
  return index < N ? names[index] : std::string_view();
}

template <typename Enum, size_t N>
std::optional<Enum> value_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(ActiveState state) noexcept { return name_in(kActiveStates, state); }
std::string_view to_string(ServiceSubState state) noexcept { return name_in(kSubStates, state); }
std::string_view to_string(ServiceResult result) noexcept { return name_in(kResults, result); }

std::optional<ActiveState> parse_active_state(std::string_view name) noexcept {
  return value_in<ActiveState>(kActiveStates, name);
}
std::optional<ServiceSubState> parse_service_sub_state(std::string_view name) noexcept {
  return value_in<ServiceSubState>(kSubStates, name);
}
std::optional<ServiceResult> parse_service_result(std::string_view name) noexcept {
  return value_in<ServiceResult>(kResults, name);
}

ActiveState active_state_of(ServiceSubState state) noexcept {
  switch (state) {
    case ServiceSubState::kDead:
      return ActiveState::kInactive;
    case ServiceSubState::kCondition:
    case ServiceSubState::kStartPre:
    case ServiceSubState::kStart:
    case ServiceSubState::kStartPost:
    case ServiceSubState::kAutoRestart:
    case ServiceSubState::kMounting:
    case ServiceSubState::kMountingDone:
      return ActiveState::kActivating;
    case ServiceSubState::kRunning:
    case ServiceSubState::kExited:
    case ServiceSubState::kMounted:
      return ActiveState::kActive;
    case ServiceSubState::kReload:
    case ServiceSubState::kReloadSignal:
    case ServiceSubState::kReloadNotify:
    case ServiceSubState::kRemounting:
    case ServiceSubState::kRemountingSigterm:
    case ServiceSubState::kRemountingSigkill:
      return ActiveState::kReloading;
    case ServiceSubState::kStop:
    case ServiceSubState::kStopWatchdog:
    case ServiceSubState::kStopSigterm:
    case ServiceSubState::kStopSigkill:
    case ServiceSubState::kStopPost:
    case ServiceSubState::kFinalWatchdog:
    case ServiceSubState::kFinalSigterm:
    case ServiceSubState::kFinalSigkill:
    case ServiceSubState::kUnmounting:
    case ServiceSubState::kUnmountingSigterm:
    case ServiceSubState::kUnmountingSigkill:
      return ActiveState::kDeactivating;
    case ServiceSubState::kFailed:
      return ActiveState::kFailed;
    case ServiceSubState::kCleaning:
      return ActiveState::kMaintenance;
  }
  return ActiveState::kInactive;
}

}  // namespace flotilla::init
