#include "init/service_transitions.h"

#include <sys/wait.h>

namespace flotilla::init {

using Action = ServiceAction::Kind;
using Awaits = ServiceState::Awaits;
using Processes = ServiceFacts::Processes;
using Result = ServiceResult;
using State = ServiceSubState;

namespace {

State state_of(ServiceCommand command) noexcept {
  switch (command) {
    case ServiceCommand::kCondition:
      return State::kCondition;
    case ServiceCommand::kStartPre:
      return State::kStartPre;
    case ServiceCommand::kStart:
      return State::kStart;
    case ServiceCommand::kStartPost:
      return State::kStartPost;
    case ServiceCommand::kReload:
      return State::kReload;
    case ServiceCommand::kStop:
      return State::kStop;
    case ServiceCommand::kStopPost:
    case ServiceCommand::kCount:
      break;
  }
  return State::kStopPost;
}

}  // namespace

// --- Small things ---

ServiceAction& Transitions::log(ServiceLog line) noexcept {
  ServiceAction& action = actions_.add(Action::kLog);
  action.log = line;
  action.state = s_.sub;
  return action;
}

bool Transitions::has_command(ServiceCommand command, size_t index) const noexcept {
  return facts_.commands[command].size() > index;
}

bool Transitions::ignores_failure(ServiceCommand command, size_t index) const noexcept {
  return has_command(command, index) && facts_.commands[command][index].ignore_failure;
}

void Transitions::arm(base::Micros span) noexcept { s_.timeout_at = facts_.now + span; }

base::Micros Transitions::timeout_abort() const noexcept {
  return facts_.service.timeout_abort.value_or(facts_.service.timeout_stop);
}

base::Micros Transitions::timeout_of(ServiceCommand command) const noexcept {
  const bool stops = command == ServiceCommand::kStop || command == ServiceCommand::kStopPost;
  return stops ? facts_.service.timeout_stop : facts_.service.timeout_start;
}

KillOperation Transitions::operation_of(State sub) const noexcept {
  switch (sub) {
    case State::kStopWatchdog:
    case State::kFinalWatchdog:
      return KillOperation::kWatchdog;
    case State::kStopSigterm:
      return facts_.restart_job ? KillOperation::kRestart : KillOperation::kTerminate;
    case State::kFinalSigterm:
      return KillOperation::kTerminate;
    default:
      return KillOperation::kKill;
  }
}

// --- Processes ---

void Transitions::drop_main() noexcept {
  if (s_.main_pid > 0) actions_.add(Action::kUnwatchMain).pid = s_.main_pid;
  s_.main_pid = 0;
}

void Transitions::drop_control() noexcept {
  if (s_.control_pid > 0) actions_.add(Action::kUnwatchControl).pid = s_.control_pid;
  s_.control_pid = 0;
}

void Transitions::run_control(ServiceCommand command, size_t index) noexcept {
  drop_control();
  s_.has_control_command = true;
  s_.control_command = command;
  s_.control_index = static_cast<uint16_t>(index);
  s_.awaits = Awaits::kSpawn;
  s_.spawns_main = false;
  ServiceAction& action = actions_.add(Action::kSpawn);
  action.command = command;
  action.index = s_.control_index;
  action.is_control = true;
}

void Transitions::run_main(size_t index) noexcept {
  s_.has_main_command = true;
  s_.main_index = static_cast<uint16_t>(index);
  s_.awaits = Awaits::kSpawn;
  s_.spawns_main = true;
  ServiceAction& action = actions_.add(Action::kSpawn);
  action.command = ServiceCommand::kStart;
  action.index = s_.main_index;
}

void Transitions::on_spawned(pid_t pid, bool exec_done) noexcept {
  s_.awaits = Awaits::kNothing;
  if (s_.spawns_main) {
    s_.main_pid = pid;
    s_.main_pid_known = true;
    s_.main_pid_alien = false;
    s_.main_exit = {};
    main_spawned(exec_done);
    return;
  }
  s_.control_pid = pid;
  arm(timeout_of(s_.control_command));
  if (const State sub = state_of(s_.control_command); sub != s_.sub) enter(sub);
}

void Transitions::main_spawned(bool exec_done) noexcept {
  switch (type()) {
    case ServiceType::kSimple:
    case ServiceType::kIdle:
      // No time limit: it is running, as far as anybody can tell.
      s_.timeout_at = base::MonotonicTime::never();
      enter_start_post();
      return;
    case ServiceType::kExec:
      arm(facts_.service.timeout_start);
      enter(State::kStart);
      // A child that failed its set-up says so by its exit status.
      if (exec_done) enter_start_post();
      return;
    case ServiceType::kOneshot:
    case ServiceType::kNotify:
    case ServiceType::kNotifyReload:
    case ServiceType::kDbus:
    case ServiceType::kForking:
      arm(facts_.service.timeout_start);
      if (s_.sub != State::kStart) enter(State::kStart);
      return;
  }
}

void Transitions::on_spawn_failed() noexcept {
  s_.awaits = Awaits::kNothing;
  if (s_.spawns_main) {
    s_.has_main_command = false;
    log(ServiceLog::kTaskFailed).command = ServiceCommand::kStart;
    if (s_.main_index > 0) {
      enter_stop(Result::kResources);
    } else {
      enter_signal(State::kStopSigterm, Result::kResources);
    }
    return;
  }
  s_.has_control_command = false;
  log(ServiceLog::kTaskFailed).command = s_.control_command;
  control_spawn_failed(s_.control_command, s_.control_index);
}

void Transitions::control_spawn_failed(ServiceCommand command, size_t index) noexcept {
  const bool is_first = index == 0;
  switch (command) {
    case ServiceCommand::kCondition:
    case ServiceCommand::kStartPre:
      if (is_first) {
        enter_dead(Result::kResources, Restart::kAllowed);
      } else {
        enter_signal(State::kStopSigterm, Result::kResources);
      }
      return;
    case ServiceCommand::kStart:
    case ServiceCommand::kStop:
      enter_signal(State::kStopSigterm, Result::kResources);
      return;
    case ServiceCommand::kStartPost:
      if (is_first) {
        enter_stop(Result::kResources);
      } else {
        enter_signal(State::kStopSigterm, Result::kResources);
      }
      return;
    case ServiceCommand::kReload:
      s_.reload_result = Result::kResources;
      // It never left this state, but the job waits for a word.
      if (s_.sub == State::kRunning) enter(State::kRunning);
      enter_running(Result::kSuccess);
      return;
    case ServiceCommand::kStopPost:
    case ServiceCommand::kCount:
      if (is_first) {
        enter_signal(State::kFinalSigterm, Result::kResources);
      } else {
        enter_dead(Result::kResources, Restart::kAllowed);
      }
      return;
  }
}

bool Transitions::record_main_exit(ProcessExit exit) noexcept {
  // A daemon may hand over to a new process before the old one ends.
  const bool moved = !facts_.service.extras->pid_file.empty() && facts_.pid_from_file > 0 &&
                     facts_.pid_from_file != s_.main_pid;
  if (moved) {
    s_.main_pid = 0;
    set_main_pid(facts_.pid_from_file, facts_.pid_from_file_alien);
    return false;
  }
  s_.main_pid = 0;
  s_.main_exit = exit;
  const CleanEnd clean = type() == ServiceType::kOneshot ? CleanEnd::kCommand : CleanEnd::kDaemon;
  last_ = result_of(exit, clean, facts_.service.extras->success_status);
  // The "-" of a forking service's start command holds for the daemon, too.
  const size_t line = s_.has_main_command ? s_.main_index : 0;
  if (ignores_failure(ServiceCommand::kStart, line)) last_ = Result::kSuccess;
  ServiceAction& line_of_log = log(ServiceLog::kMainExited);
  line_of_log.exit = exit;
  line_of_log.is_success = last_ == Result::kSuccess;
  note(last_);
  const bool goes_on = s_.has_main_command && type() == ServiceType::kOneshot &&
                       s_.sub == State::kStart && last_ == Result::kSuccess &&
                       has_command(ServiceCommand::kStart, s_.main_index + size_t{1});
  if (goes_on) {
    run_main(s_.main_index + size_t{1});
    return false;
  }
  s_.has_main_command = false;
  return true;
}

bool Transitions::record_control_exit(ProcessExit exit) noexcept {
  s_.control_pid = 0;
  // A signal is a clean end of daemons alone, and of all commands only ExecStart= makes one.
  const bool makes_daemon = s_.has_control_command &&
                            s_.control_command == ServiceCommand::kStart &&
                            type() != ServiceType::kOneshot;
  const CleanEnd clean = makes_daemon ? CleanEnd::kDaemon : CleanEnd::kCommand;
  last_ = result_of(exit, clean, facts_.service.extras->success_status);
  const ServiceCommand command = s_.control_command;
  const size_t index = s_.control_index;
  if (s_.has_control_command && ignores_failure(command, index)) last_ = Result::kSuccess;
  bool success = last_ == Result::kSuccess;
  if (s_.sub == State::kCondition) {
    // 1 to 254 say "not now", which is no failure.
    const bool skips = last_ == Result::kExitCode && exit.status < 255;
    if (skips) last_ = Result::kExecCondition;
    s_.condition_failed = skips;
    success |= skips;
  }
  ServiceAction& line = log(ServiceLog::kControlExited);
  line.command = command;
  line.exit = exit;
  line.is_success = success;
  if (s_.sub != State::kReload) note(last_);
  const bool goes_on = s_.has_control_command && s_.sub == state_of(command) &&
                       last_ == Result::kSuccess && command != ServiceCommand::kStart &&
                       has_command(command, index + 1);
  if (goes_on) {
    run_control(command, index + 1);
    return false;
  }
  s_.has_control_command = false;
  return true;
}

void Transitions::set_main_pid(pid_t pid, bool alien) noexcept {
  if (s_.main_pid_known && s_.main_pid == pid) return;
  drop_main();
  s_.main_pid = pid;
  s_.main_pid_known = true;
  s_.main_pid_alien = alien;
  s_.main_exit = {};
  ServiceAction& watch = actions_.add(Action::kWatchMain);
  watch.pid = pid;
  watch.flag = alien;
  if (alien) log(ServiceLog::kAlienMainPid).pid = pid;
}

bool Transitions::load_pid_file() noexcept {
  if (facts_.service.extras->pid_file.empty() || facts_.pid_from_file <= 0) return false;
  set_main_pid(facts_.pid_from_file, facts_.pid_from_file_alien);
  return true;
}

void Transitions::guess_main_pid() noexcept {
  if (s_.main_pid_known || facts_.guessed_main_pid <= 0) return;
  set_main_pid(facts_.guessed_main_pid, false);
}

void Transitions::wait_for_pid_file(bool in_start) noexcept {
  s_.waits_for_pid_file = true;
  actions_.add(Action::kWatchPidFile);
  // With no process left nobody will write it.
  if (processes_ != Processes::kNone) return;
  if (in_start) {
    enter_signal(State::kStopSigterm, Result::kProtocol);
  } else {
    enter_stop(Result::kProtocol);
  }
}

bool Transitions::gave_up_on_pid_file() noexcept {
  // A daemon whose main process was never known may still be on its way; the start timeout ends
  // that.
  if (!s_.waits_for_pid_file || !is_main_dead() || !has_no_control()) return false;
  log(ServiceLog::kNoPidFile);
  return true;
}

void Transitions::kill_control() noexcept {
  if (s_.control_pid > 0) actions_.add(Action::kKillControl).pid = s_.control_pid;
}

// --- Rows with more than one answer ---

void Transitions::main_ended_in_start() noexcept {
  switch (type()) {
    case ServiceType::kOneshot:
      if (last_ == Result::kSuccess) {
        enter_start_post();
      } else {
        enter_signal(State::kStopSigterm, last_);
      }
      return;
    case ServiceType::kNotify:
    case ServiceType::kNotifyReload: {
      const bool may_still_come =
          facts_.service.remain_after_exit && facts_.service.notify_access != NotifyAccess::kMain;
      if (last_ != Result::kSuccess) {
        enter_signal(State::kStopSigterm, last_);
      } else if (!may_still_come) {
        enter_signal(State::kStopSigterm, Result::kProtocol);
      } else if (processes_ == Processes::kNone) {
        enter_stop_post(Result::kProtocol);
      }
      return;
    }
    default:
      enter_running(last_);
  }
}

void Transitions::control_ended_in_start() noexcept {
  if (type() != ServiceType::kForking) return;
  if (last_ != Result::kSuccess) return enter_signal(State::kStopSigterm, last_);
  if (facts_.service.extras->pid_file.empty()) {
    guess_main_pid();
  } else if (!load_pid_file() && !has_command(ServiceCommand::kStartPost)) {
    // ExecStartPost= may write it, too; without one only the daemon can.
    return wait_for_pid_file(true);
  }
  enter_start_post();
}

void Transitions::control_ended_in_start_post() noexcept {
  if (last_ != Result::kSuccess) return enter_signal(State::kStopSigterm, last_);
  if (facts_.service.extras->pid_file.empty()) {
    if (type() == ServiceType::kForking) guess_main_pid();
  } else if (!load_pid_file()) {
    return wait_for_pid_file(false);
  }
  enter_running(Result::kSuccess);
}

void Transitions::control_ended_in_reload() noexcept {
  if (last_ == Result::kSuccess && !load_pid_file()) guess_main_pid();
  s_.reload_result = last_;
  if (type() == ServiceType::kNotifyReload && s_.notify == NotifyState::kReloading) {
    // The command is done, the service is not.
    return enter(State::kReloadNotify);
  }
  enter_running(Result::kSuccess);
}

void Transitions::ready_in_reload_signal(const ServiceEvent& event) noexcept {
  // RELOADING=1 and READY=1 in one message: begun and done at once. What it said before it got the
  // signal does not count.
  const bool is_of_this_reload = event.flag && event.span >= s_.reload_begin.since_epoch;
  if (is_of_this_reload) enter_running(Result::kSuccess);
}

void Transitions::reloading_in_reload_signal(const ServiceEvent& event) noexcept {
  if (event.span < s_.reload_begin.since_epoch) return;
  // Its dependents were told with the reload itself, and the time it has runs already.
  enter(State::kReloadNotify);
}

// --- Timers ---

void Transitions::extend_timeout(base::Micros span) noexcept {
  if (span.count() <= 0) return;
  const base::MonotonicTime until = facts_.now + span;
  // Only ever later: a service may ask for more time, not for less.
  if (!s_.timeout_at.is_never() && s_.timeout_at < until && s_.sub != State::kAutoRestart) {
    s_.timeout_at = until;
  }
  if (!s_.watchdog_at.is_never() && s_.watchdog_at < until) s_.watchdog_at = until;
}

void Transitions::override_watchdog(base::Micros span) noexcept {
  s_.watchdog = span;
  if (!is_in_rest()) feed_watchdog();
}

void Transitions::feed_watchdog() noexcept {
  const base::Micros limit = s_.watchdog;
  s_.watchdog_fed = facts_.now;
  s_.watchdog_at = limit.count() > 0 ? facts_.now + limit : base::MonotonicTime::never();
}

}  // namespace flotilla::init
