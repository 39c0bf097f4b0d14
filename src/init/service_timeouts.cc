// What takes too long: timeouts, the watchdog, and memory that ran out.
#include "init/service_transitions.h"

namespace flotilla::init {

using Result = ServiceResult;
using State = ServiceSubState;

void Transitions::log_timeout(ServiceLog line, TimeoutAnswer answer) noexcept {
  log(line).answer = answer;
}

void Transitions::give_up(ServiceLog line, TimeoutFailureMode mode, Phase phase) noexcept {
  const bool is_final = phase == Phase::kFinal;
  switch (mode) {
    case TimeoutFailureMode::kTerminate:
      log_timeout(line, TimeoutAnswer::kTerminating);
      return enter_signal(is_final ? State::kFinalSigterm : State::kStopSigterm, Result::kTimeout);
    case TimeoutFailureMode::kAbort:
      log_timeout(line, TimeoutAnswer::kAborting);
      return enter_signal(is_final ? State::kFinalWatchdog : State::kStopWatchdog,
                          Result::kTimeout);
    case TimeoutFailureMode::kKill:
      break;
  }
  if (facts_.kill.send_sigkill) {
    log_timeout(line, TimeoutAnswer::kKilling);
    return enter_signal(is_final ? State::kFinalSigkill : State::kStopSigkill, Result::kTimeout);
  }
  log_timeout(line, TimeoutAnswer::kSkippingSigkill);
  if (is_final) return enter_dead(Result::kTimeout, Restart::kForbidden);
  enter_stop_post(Result::kTimeout);
}

void Transitions::start_timed_out() noexcept {
  give_up(ServiceLog::kStartTimeout, facts_.service.timeout_start_failure_mode, Phase::kStop);
}

void Transitions::stop_timed_out() noexcept {
  give_up(ServiceLog::kStopTimeout, facts_.service.timeout_stop_failure_mode, Phase::kStop);
}

void Transitions::stop_post_timed_out() noexcept {
  give_up(ServiceLog::kStateTimeout, facts_.service.timeout_stop_failure_mode, Phase::kFinal);
}

// Behind SIGTERM comes the signal that aborts, where that is asked for, and then SIGKILL.
TimeoutFailureMode Transitions::mode_behind(State sigterm) const noexcept {
  const bool aborts =
      s_.sub == sigterm && facts_.service.timeout_stop_failure_mode == TimeoutFailureMode::kAbort;
  return aborts ? TimeoutFailureMode::kAbort : TimeoutFailureMode::kKill;
}

void Transitions::stop_signal_timed_out() noexcept {
  if (s_.sub == State::kStopSigkill) {
    // What SIGKILL does not end cannot be ended; go on without it.
    log(ServiceLog::kStillAround);
    return enter_stop_post(Result::kTimeout);
  }
  give_up(ServiceLog::kStateTimeout, mode_behind(State::kStopSigterm), Phase::kStop);
}

void Transitions::final_signal_timed_out() noexcept {
  if (s_.sub == State::kFinalSigkill) {
    log(ServiceLog::kStillAroundFinal);
    return enter_dead(Result::kTimeout, Restart::kAllowed);
  }
  give_up(ServiceLog::kStateTimeout, mode_behind(State::kFinalSigterm), Phase::kFinal);
}

void Transitions::watchdog_expired() noexcept {
  log(ServiceLog::kWatchdog).span = s_.watchdog;
  enter_signal(State::kStopWatchdog, Result::kWatchdog);
}

void Transitions::watchdog_requested() noexcept {
  log(ServiceLog::kWatchdogRequest);
  enter_signal(State::kStopWatchdog, Result::kWatchdog);
}

// What OOMPolicy= says; the kernel has killed one process already.
void Transitions::out_of_memory() noexcept {
  log(ServiceLog::kOutOfMemory);
  const OomPolicy policy = facts_.service.oom_policy;
  if (policy == OomPolicy::kContinue) return;
  const bool kills = policy == OomPolicy::kKill;
  switch (s_.sub) {
    case State::kCondition:
    case State::kStartPre:
    case State::kStart:
    case State::kStartPost:
    case State::kStop:
      return enter_signal(kills ? State::kStopSigkill : State::kStopSigterm, Result::kOomKill);
    case State::kRunning:
    case State::kExited:
      if (kills) return enter_signal(State::kStopSigkill, Result::kOomKill);
      return enter_stop(Result::kOomKill);
    case State::kStopWatchdog:
    case State::kStopSigterm:
      return enter_signal(State::kStopSigkill, Result::kOomKill);
    case State::kStopPost:
    case State::kFinalWatchdog:
    case State::kFinalSigterm:
      return enter_signal(State::kFinalSigkill, Result::kOomKill);
    case State::kStopSigkill:
    case State::kFinalSigkill:
      return note(Result::kOomKill);
    case State::kDead:
    case State::kFailed:
    case State::kAutoRestart:
    case State::kCleaning:
    case State::kReload:  // goes on with what is left, as systemd does
    case State::kReloadSignal:
    case State::kReloadNotify:
    default:  // of mounts
      return;
  }
}

}  // namespace flotilla::init
