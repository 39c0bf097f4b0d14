// What the manager does about itself when a unit fails, succeeds, or cannot be started in time:
// FailureAction=, SuccessAction=, StartLimitAction=, JobTimeoutAction= and what goes with them.
// Plain values behind a Lazy in UnitSettings: few units have any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flotilla::init {

// By itself: a start of the target that does it, with all units stopped in order. Forced: all
// processes are ended at once. Immediate: nothing is ended first.
enum class EmergencyAction : uint8_t {
  kNone,
  kReboot,
  kRebootForce,
  kRebootImmediate,
  kPoweroff,
  kPoweroffForce,
  kPoweroffImmediate,
  kHaltForce,
  kExit,
  kExitForce,
};

std::string_view to_string(EmergencyAction action) noexcept;
std::optional<EmergencyAction> parse_emergency_action(std::string_view name) noexcept;
// Whether a manager that is not the machine's may do it.
constexpr bool is_of_user_managers(EmergencyAction action) noexcept {
  return action == EmergencyAction::kNone || action >= EmergencyAction::kExit;
}

struct UnitActions {
  EmergencyAction failure = EmergencyAction::kNone;
  EmergencyAction success = EmergencyAction::kNone;
  EmergencyAction start_limit = EmergencyAction::kNone;
  EmergencyAction job_timeout = EmergencyAction::kNone;
  // Unset: what the main process ended with.
  std::optional<uint8_t> failure_exit_status, success_exit_status;
  std::string reboot_argument, job_timeout_reboot_argument;
};

}  // namespace flotilla::init
