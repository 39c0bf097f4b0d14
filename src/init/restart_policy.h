// Judges how a process ended, and whether a service that is over starts again by itself. Pure;
// never allocates. (man systemd.service: SuccessExitStatus=, Restart= and its table.)
#pragma once

#include "init/unit_settings.h"
#include "init/unit_state.h"

namespace flotilla::init {

// The end of a process as waitid(2) tells it.
struct ProcessExit {
  int code = 0;    // CLD_EXITED, CLD_KILLED or CLD_DUMPED; 0: has not ended
  int status = 0;  // exit code or signal
  friend bool operator==(const ProcessExit&, const ProcessExit&) = default;
};

bool contains(const ExitStatusSet& set, const ProcessExit& exit) noexcept;

// What a clean end is: a daemon may also be ended by SIGHUP, SIGINT, SIGTERM or SIGPIPE; the
// command of a oneshot may not.
enum class CleanEnd : uint8_t { kDaemon, kCommand };
// kSuccess, kExitCode, kSignal or kCoreDump.
ServiceResult result_of(const ProcessExit& exit, CleanEnd clean,
                        const ExitStatusSet& success) noexcept;

// The answer, with the reason for the log.
enum class RestartAnswer : uint8_t {
  kNoManualStop,  // stopped by a job
  kNoPrevented,   // RestartPreventExitStatus=
  kNoSetting,     // Restart=
  kYesForced,     // RestartForceExitStatus=
  kYesSetting,    // Restart=
};
constexpr bool is_yes(RestartAnswer answer) noexcept { return answer >= RestartAnswer::kYesForced; }

// `main_exit`: of the last main process, zeros if there was none. `stopped_by_job`: a stop or
// restart job has reached the service since its start.
RestartAnswer decide_restart(const ServiceSettings& settings, ServiceResult result,
                             const ProcessExit& main_exit, bool stopped_by_job) noexcept;

}  // namespace flotilla::init
