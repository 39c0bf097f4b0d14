// The states a user sees (`systemctl status`), with systemd's names. They are data: they stand in
// the state file by number, so a number is never given a new meaning; new ones go to the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace flotilla::init {

enum class ActiveState : uint8_t {
  kInactive = 0,
  kActive = 1,
  kReloading = 2,
  kActivating = 3,
  kDeactivating = 4,
  kFailed = 5,
  kMaintenance = 6,
};

enum class ServiceSubState : uint8_t {
  kDead = 0,
  kCondition = 1,
  kStartPre = 2,
  kStart = 3,
  kStartPost = 4,
  kRunning = 5,
  kExited = 6,
  kReload = 7,
  kStop = 8,
  kStopWatchdog = 9,
  kStopSigterm = 10,
  kStopSigkill = 11,
  kStopPost = 12,
  kFinalWatchdog = 13,
  kFinalSigterm = 14,
  kFinalSigkill = 15,
  kFailed = 16,
  kAutoRestart = 17,
  kCleaning = 18,
  kReloadSignal = 19,  // of Type=notify-reload: told to reload, has not said that it does
  kReloadNotify = 20,  // ... has said so, and not yet that it is done
  // Of mounts:
  kMounting = 21,
  kMountingDone = 22,  // it is there, and mount(8) has not ended
  kMounted = 23,
  kRemounting = 24,
  kRemountingSigterm = 25,
  kRemountingSigkill = 26,
  kUnmounting = 27,
  kUnmountingSigterm = 28,
  kUnmountingSigkill = 29,
  kLast = kUnmountingSigkill,
};

enum class ServiceResult : uint8_t {
  kSuccess = 0,
  kResources = 1,
  kProtocol = 2,
  kTimeout = 3,
  kExitCode = 4,
  kSignal = 5,
  kCoreDump = 6,
  kWatchdog = 7,
  kStartLimitHit = 8,
  kOomKill = 9,
  kExecCondition = 10,
};

std::string_view to_string(ActiveState state) noexcept;
std::string_view to_string(ServiceSubState state) noexcept;
std::string_view to_string(ServiceResult result) noexcept;

std::optional<ActiveState> parse_active_state(std::string_view name) noexcept;
std::optional<ServiceSubState> parse_service_sub_state(std::string_view name) noexcept;
std::optional<ServiceResult> parse_service_result(std::string_view name) noexcept;

// What `systemctl` shows as ACTIVE for a service in this sub-state, as systemd maps them.
// Type=idle differs in nothing.
ActiveState active_state_of(ServiceSubState state) noexcept;

}  // namespace flotilla::init
