// The second half of Transitions: the ways into each state, in the order of a service's life.
#include "init/service_transitions.h"

namespace flotilla::init {

using Action = ServiceAction::Kind;
using Awaits = ServiceState::Awaits;
using Processes = ServiceFacts::Processes;
using Result = ServiceResult;
using State = ServiceSubState;

namespace {

bool holds_main(State sub) noexcept {
  switch (sub) {
    case State::kDead:
    case State::kCondition:
    case State::kStartPre:
    case State::kExited:
    case State::kFailed:
    case State::kAutoRestart:
    case State::kCleaning:
      return false;
    default:
      return true;
  }
}

bool holds_control(State sub) noexcept {
  switch (sub) {
    case State::kDead:
    case State::kRunning:
    case State::kExited:
    case State::kFailed:
    case State::kAutoRestart:
      return false;
    default:
      return true;
  }
}

bool is_active_or_reloading(ActiveState state) noexcept {
  return state == ActiveState::kActive || state == ActiveState::kReloading;
}

bool is_under_watchdog(State sub) noexcept {
  switch (sub) {
    case State::kStartPost:
    case State::kRunning:
    case State::kReload:
    case State::kReloadSignal:
    case State::kReloadNotify:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Transitions::begin_run() noexcept {
  s_.result = Result::kSuccess;
  s_.reload_result = Result::kSuccess;
  s_.main_pid_known = false;
  s_.main_pid_alien = false;
  s_.main_exit = {};
  s_.stopped_by_job = false;
  s_.condition_failed = false;
  s_.notify = NotifyState::kUnknown;
  s_.watchdog = facts_.service.watchdog;
  s_.watchdog_fed = {};
  if (s_.flush_n_restarts) s_.n_restarts = 0;
  s_.flush_n_restarts = false;
  actions_.add(Action::kBeginRun);
  if (has_command(ServiceCommand::kCondition)) {
    if (facts_.left_overs) return refuse_to_run(ServiceCommand::kCondition);
    run_control(ServiceCommand::kCondition, 0);
  } else {
    enter_start_pre();
  }
}

// A service that must not be killed would run beside what is left of its last run.
void Transitions::refuse_to_run(ServiceCommand command) noexcept {
  log(ServiceLog::kTaskFailed).command = command;
  enter_dead(Result::kResources, Restart::kAllowed);
}

void Transitions::enter_start_pre() noexcept {
  if (has_command(ServiceCommand::kStartPre)) {
    if (facts_.left_overs) return refuse_to_run(ServiceCommand::kStartPre);
    run_control(ServiceCommand::kStartPre, 0);
  } else {
    enter_start();
  }
}

void Transitions::enter_start() noexcept {
  drop_control();
  drop_main();
  if (!has_command(ServiceCommand::kStart)) {
    if (type() == ServiceType::kOneshot) {
      // Seen as starting all the same, so that what hangs on the change takes place.
      enter(State::kStart);
      enter_start_post();
    } else {
      log(ServiceLog::kTaskFailed).command = ServiceCommand::kStart;
      enter_signal(State::kStopSigterm, Result::kResources);
    }
    return;
  }
  if (facts_.left_overs) {
    log(ServiceLog::kTaskFailed).command = ServiceCommand::kStart;
    return enter_signal(State::kStopSigterm, Result::kResources);
  }
  if (type() == ServiceType::kForking) {
    s_.has_main_command = false;
    run_control(ServiceCommand::kStart, 0);
  } else {
    run_main(0);
  }
}

void Transitions::enter_start_post() noexcept {
  drop_control();
  feed_watchdog();
  if (has_command(ServiceCommand::kStartPost)) {
    run_control(ServiceCommand::kStartPost, 0);
  } else {
    enter_running(Result::kSuccess);
  }
}

bool Transitions::is_good() const noexcept {
  if (type() == ServiceType::kDbus && !s_.bus_name_owned) return false;
  if (s_.main_pid_known && (s_.main_pid > 0 || !ends_with_cgroup())) return s_.main_pid > 0;
  return processes_ != Processes::kNone;
}

void Transitions::enter_running(Result result) noexcept {
  note(result);
  drop_control();
  if (s_.result != Result::kSuccess) return enter_signal(State::kStopSigterm, result);
  if (!is_good()) {
    if (facts_.service.remain_after_exit) return enter(State::kExited);
    return enter_stop(Result::kSuccess);
  }
  // What the service said before it ran holds now.
  if (s_.notify == NotifyState::kReloading) return enter_reload_by_notify();
  if (s_.notify == NotifyState::kStopping) return enter_stop_by_notify();
  if (s_.sub != State::kRunning) enter(State::kRunning);
  // Since it became active: a reload does not prolong the life.
  s_.timeout_at = s_.active_since + facts_.service.runtime_max + facts_.runtime_extra;
}

void Transitions::enter_reload() noexcept {
  s_.reload_result = Result::kSuccess;
  const bool by_signal = type() == ServiceType::kNotifyReload && s_.main_pid > 0;
  if (by_signal) {
    s_.reload_begin = facts_.now;
    actions_.add(Action::kReloadSignal).pid = s_.main_pid;
  }
  if (has_command(ServiceCommand::kReload)) {
    run_control(ServiceCommand::kReload, 0);
  } else if (by_signal) {
    arm(facts_.service.timeout_start);
    enter(State::kReloadSignal);
  } else {
    enter_running(Result::kSuccess);
  }
}

void Transitions::enter_reload_by_notify() noexcept {
  arm(facts_.service.timeout_start);
  enter(type() == ServiceType::kNotifyReload ? State::kReloadNotify : State::kReload);
  actions_.add(Action::kPropagateReload);
}

void Transitions::enter_stop(Result result) noexcept {
  note(result);
  drop_control();
  if (has_command(ServiceCommand::kStop)) {
    run_control(ServiceCommand::kStop, 0);
  } else {
    enter_signal(State::kStopSigterm, Result::kSuccess);
  }
}

void Transitions::enter_stop_by_notify() noexcept {
  // It says that it stops: as if it had got the signal.
  arm(facts_.service.timeout_stop);
  enter(State::kStopSigterm);
}

void Transitions::enter_signal(State sub, Result result) noexcept {
  note(result);
  const KillPlan plan =
      plan_kill(facts_.kill, operation_of(sub), s_.main_pid > 0, s_.control_pid > 0);
  const bool none_left = s_.main_pid <= 0 && s_.control_pid <= 0 && processes_ == Processes::kNone;
  if (plan.nothing() || none_left) return killed_nothing(sub);
  s_.awaits = Awaits::kKill;
  s_.kill_state = sub;
  actions_.add(Action::kKill).kill = plan;
}

void Transitions::on_kill_sent(bool waits) noexcept {
  s_.awaits = Awaits::kNothing;
  const State sub = s_.kill_state;
  if (!waits) return killed_nothing(sub);
  arm(operation_of(sub) == KillOperation::kWatchdog ? timeout_abort()
                                                    : facts_.service.timeout_stop);
  enter(sub);
}

// On to the next step where nobody is there whose end could be waited for.
void Transitions::killed_nothing(State sub) noexcept {
  switch (sub) {
    case State::kStopWatchdog:
    case State::kStopSigterm:
      if (facts_.kill.send_sigkill) return enter_signal(State::kStopSigkill, Result::kSuccess);
      return enter_stop_post(Result::kSuccess);
    case State::kStopSigkill:
      return enter_stop_post(Result::kSuccess);
    case State::kFinalWatchdog:
    case State::kFinalSigterm:
      if (facts_.kill.send_sigkill) return enter_signal(State::kFinalSigkill, Result::kSuccess);
      return enter_dead(Result::kSuccess, Restart::kAllowed);
    default:
      return enter_dead(Result::kSuccess, Restart::kAllowed);
  }
}

void Transitions::enter_stop_post(Result result) noexcept {
  note(result);
  drop_control();
  if (has_command(ServiceCommand::kStopPost)) {
    run_control(ServiceCommand::kStopPost, 0);
  } else {
    enter_signal(State::kFinalSigterm, Result::kSuccess);
  }
}

void Transitions::log_end() noexcept {
  switch (s_.result) {
    case Result::kSuccess:
      log(ServiceLog::kSucceeded);
      break;
    case Result::kExecCondition:
      log(ServiceLog::kSkipped).result = s_.result;
      break;
    default:
      log(ServiceLog::kFailed).result = s_.result;
      break;
  }
}

void Transitions::enter_dead(Result result, Restart restart) noexcept {
  note(result);
  log_end();
  // A stop that waits in the queue is not to be undone.
  const bool may_restart = restart == Restart::kAllowed && !facts_.stop_job;
  const bool restarts = may_restart && is_yes(decide_restart(facts_.service, s_.result,
                                                             s_.main_exit, s_.stopped_by_job));
  const bool is_clean = s_.result == Result::kSuccess || s_.result == Result::kExecCondition;
  // The end is seen before the restart: dependents and jobs follow from it.
  enter(is_clean ? State::kDead : State::kFailed, restarts);
  if (restarts) {
    arm(facts_.service.restart_sec);
    enter(State::kAutoRestart);
  } else {
    // Shown until the next start.
    s_.flush_n_restarts = true;
  }
  s_.stopped_by_job = false;
  actions_.add(Action::kReleaseResources).flag = restarts;
}

void Transitions::queue_restart() noexcept {
  s_.timeout_at = base::MonotonicTime::never();
  if (facts_.stop_job) return;
  ++s_.n_restarts;
  s_.flush_n_restarts = false;
  log(ServiceLog::kRestartScheduled).number = s_.n_restarts;
  actions_.add(Action::kQueueRestart);
}

void Transitions::reset_failed() noexcept {
  if (s_.sub == State::kFailed) enter(State::kDead);
  s_.result = Result::kSuccess;
  s_.reload_result = Result::kSuccess;
  s_.n_restarts = 0;
  s_.flush_n_restarts = false;
}

// --- The change itself ---

void Transitions::enter(State sub, bool will_auto_restart) noexcept {
  const ActiveState before = active_state_of(type(), s_.sub);
  const ActiveState now = active_state_of(type(), sub);
  if (is_active_or_reloading(now)) {
    if (!is_active_or_reloading(before)) s_.active_since = facts_.now;
  } else {
    s_.active_since = {};
  }
  if (sub == State::kDead || sub == State::kFailed || sub == State::kExited) {
    s_.timeout_at = base::MonotonicTime::never();
  }
  if (!holds_main(sub)) {
    drop_main();
    s_.has_main_command = false;
  }
  if (!holds_control(sub)) {
    drop_control();
    s_.has_control_command = false;
  }
  if (!is_under_watchdog(sub)) s_.watchdog_at = base::MonotonicTime::never();
  if (s_.waits_for_pid_file && sub != State::kStart && sub != State::kStartPost) {
    s_.waits_for_pid_file = false;
    actions_.add(Action::kUnwatchPidFile);
  }
  s_.sub = sub;
  ServiceAction& action = actions_.add(Action::kEnterState);
  action.state = sub;
  action.flag = will_auto_restart;
}

}  // namespace flotilla::init
