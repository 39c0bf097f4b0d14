#include "init/restart_policy.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>

namespace flotilla::init {
namespace {

bool is_clean_signal(int signal) noexcept {
  return signal == SIGHUP || signal == SIGINT || signal == SIGTERM || signal == SIGPIPE;
}

bool setting_restarts(RestartSetting setting, ServiceResult result) noexcept {
  switch (setting) {
    case RestartSetting::kNo:
      return false;
    case RestartSetting::kAlways:
      return result != ServiceResult::kExecCondition;
    case RestartSetting::kOnSuccess:
      return result == ServiceResult::kSuccess;
    case RestartSetting::kOnFailure:
      return result != ServiceResult::kSuccess && result != ServiceResult::kExecCondition;
    case RestartSetting::kOnAbnormal:
      return result != ServiceResult::kSuccess && result != ServiceResult::kExitCode &&
             result != ServiceResult::kExecCondition;
    case RestartSetting::kOnWatchdog:
      return result == ServiceResult::kWatchdog;
    case RestartSetting::kOnAbort:
      return result == ServiceResult::kSignal || result == ServiceResult::kCoreDump;
  }
  return false;
}

}  // namespace

bool contains(const ExitStatusSet& set, const ProcessExit& exit) noexcept {
  if (exit.code == CLD_EXITED) {
    return std::find(set.statuses.begin(), set.statuses.end(), static_cast<uint8_t>(exit.status)) !=
           set.statuses.end();
  }
  if (exit.code == CLD_KILLED || exit.code == CLD_DUMPED) {
    return std::find(set.signals.begin(), set.signals.end(), exit.status) != set.signals.end();
  }
  return false;
}

ServiceResult result_of(const ProcessExit& exit, CleanEnd clean,
                        const ExitStatusSet& success) noexcept {
  // Of a process that was not our child nothing is known but that it is gone.
  if (exit.code == 0) return ServiceResult::kSuccess;
  if (exit.code == CLD_EXITED) {
    const bool ok = exit.status == 0 || contains(success, exit);
    return ok ? ServiceResult::kSuccess : ServiceResult::kExitCode;
  }
  // A core dump is never clean, not even where the files list its signal.
  if (exit.code == CLD_DUMPED) return ServiceResult::kCoreDump;
  const bool ok =
      (clean == CleanEnd::kDaemon && is_clean_signal(exit.status)) || contains(success, exit);
  return ok ? ServiceResult::kSuccess : ServiceResult::kSignal;
}

RestartAnswer decide_restart(const ServiceSettings& settings, ServiceResult result,
                             const ProcessExit& main_exit, bool stopped_by_job) noexcept {
  if (stopped_by_job) return RestartAnswer::kNoManualStop;
  if (contains(settings.extras->restart_prevent, main_exit)) return RestartAnswer::kNoPrevented;
  if (contains(settings.extras->restart_force, main_exit)) return RestartAnswer::kYesForced;
  return setting_restarts(settings.restart, result) ? RestartAnswer::kYesSetting
                                                    : RestartAnswer::kNoSetting;
}

}  // namespace flotilla::init
