#include "init/service_machine.h"

#include <sys/wait.h>

#include <csignal>

#include "init/service_transitions.h"

namespace flotilla::init {

namespace {

using Kind = ServiceEvent::Kind;
using Awaits = ServiceState::Awaits;
using State = ServiceSubState;
using Result = ServiceResult;

// The answers that are the same in every state.
bool answer_anywhere(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kSpawned:
      if (t.state().awaits == Awaits::kSpawn) t.on_spawned(event.pid, event.flag);
      return true;
    case Kind::kSpawnFailed:
      if (t.state().awaits == Awaits::kSpawn) t.on_spawn_failed();
      return true;
    case Kind::kKillSent:
      if (t.state().awaits == Awaits::kKill) t.on_kill_sent(event.flag);
      return true;
    case Kind::kNotifyExtend:
      t.extend_timeout(event.span);
      return true;
    case Kind::kNotifyWatchdogUsec:
      t.override_watchdog(event.span);
      return true;
    case Kind::kNotifyWatchdog:
      // Also on its way in or out: who has begun to feed must go on, until the state changes.
      if (!t.is_in_rest()) t.feed_watchdog();
      return true;
    case Kind::kNotifyTrigger:
      if (!t.is_in_rest()) t.watchdog_requested();
      return true;
    case Kind::kWatchdogTimeout:
      if (!t.is_in_rest()) t.watchdog_expired();
      return true;
    case Kind::kOutOfMemory:
      t.out_of_memory();
      return true;
    case Kind::kBusNameAcquired:
      t.state().bus_name_owned = true;
      return false;
    case Kind::kBusNameLost:
      t.state().bus_name_owned = false;
      return false;
    case Kind::kNotifyReady:
      t.state().notify = NotifyState::kReady;
      return false;
    case Kind::kNotifyReloading:
      t.state().notify = NotifyState::kReloading;
      return false;
    case Kind::kNotifyStopping:
      t.state().notify = NotifyState::kStopping;
      return false;
    case Kind::kMainExit:
      // May lead to the next command of a oneshot, or mean that the main process only moved.
      return t.state().main_pid == 0 || !t.record_main_exit(event.exit) || t.outlives_main();
    case Kind::kControlExit:
      return t.state().control_pid == 0 || !t.record_control_exit(event.exit);
    case Kind::kResetFailed:
      t.reset_failed();
      return true;
    case Kind::kStop:
      // Restart= is for ends that nobody asked for.
      t.state().stopped_by_job = true;
      return false;
    default:
      return false;
  }
}

// dead, failed
void in_rest(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kStart:
      t.begin_run();
      break;
    case Kind::kStartRefused:
      t.log(ServiceLog::kStartLimit);
      t.enter_dead(Result::kStartLimitHit, Transitions::Restart::kForbidden);
      break;
    default:
      break;  // nothing runs that anything could happen to
  }
}

void in_auto_restart(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kTimeout:
      t.queue_restart();
      break;
    case Kind::kRestartFailed:
      --t.state().n_restarts;
      t.enter_dead(Result::kResources, Transitions::Restart::kForbidden);
      break;
    case Kind::kStop:
      // Also the stop half of the restart job itself.
      t.enter(State::kDead);
      break;
    default:
      break;  // a start waits for the restart
  }
}

// What condition, start-pre, start and start-post have in common.
bool in_any_start(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kStop:
      t.enter_signal(State::kStopSigterm, Result::kSuccess);
      return true;
    case Kind::kTimeout:
      t.start_timed_out();
      return true;
    case Kind::kNotifyMainPid:
      if (t.is(State::kStart) || t.is(State::kStartPost)) t.set_main_pid(event.pid, event.flag);
      return true;
    default:
      return false;
  }
}

void in_condition(Transitions& t, const ServiceEvent& event) noexcept {
  if (in_any_start(t, event)) return;
  switch (event.kind) {
    case Kind::kControlExit:
      if (t.last() == Result::kSuccess) {
        t.enter_start_pre();
      } else {
        t.enter_signal(State::kStopSigterm, t.last());
      }
      break;
    default:
      break;
  }
}

void in_start_pre(Transitions& t, const ServiceEvent& event) noexcept {
  if (in_any_start(t, event)) return;
  switch (event.kind) {
    case Kind::kControlExit:
      if (t.last() == Result::kSuccess) {
        t.enter_start();
      } else {
        t.enter_signal(State::kStopSigterm, t.last());
      }
      break;
    default:
      break;
  }
}

void in_start(Transitions& t, const ServiceEvent& event) noexcept {
  if (in_any_start(t, event)) return;
  switch (event.kind) {
    case Kind::kMainExit:
      t.main_ended_in_start();
      break;
    case Kind::kControlExit:
      t.control_ended_in_start();
      break;
    case Kind::kNotifyReady:
      if (t.says_ready()) t.enter_start_post();
      break;
    case Kind::kExecuted:
      if (t.type() == ServiceType::kExec && !t.is_main_dead()) t.enter_start_post();
      break;
    case Kind::kBusNameAcquired:
      if (t.type() == ServiceType::kDbus) t.enter_start_post();
      break;
    case Kind::kPidFile:
      if (t.load_pid_file()) t.enter_running(Result::kSuccess);
      break;
    case Kind::kProcessesGone:
      // Nobody is left to say READY=1, or to write the PID file.
      if (t.says_ready() && t.is_main_dead() && t.has_no_control()) {
        t.enter_stop_post(Result::kProtocol);
      } else if (t.ends_with_cgroup() && !t.is_main_alive()) {
        t.enter_start_post();
      } else if (t.gave_up_on_pid_file()) {
        t.enter_signal(State::kStopSigterm, Result::kProtocol);
      }
      break;
    default:
      break;  // RELOADING=1 and STOPPING=1 are kept for when it runs
  }
}

void in_start_post(Transitions& t, const ServiceEvent& event) noexcept {
  if (in_any_start(t, event)) return;
  switch (event.kind) {
    case Kind::kMainExit:
      if (t.has_no_control()) t.enter_stop(t.last());
      break;
    case Kind::kControlExit:
      t.control_ended_in_start_post();
      break;
    case Kind::kPidFile:
      if (t.has_no_control() && t.load_pid_file()) t.enter_running(Result::kSuccess);
      break;
    case Kind::kProcessesGone:
      if (t.gave_up_on_pid_file()) t.enter_stop(Result::kProtocol);
      break;
    default:
      break;
  }
}

void in_running(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kStop:
      t.enter_stop(Result::kSuccess);
      break;
    case Kind::kReload:
      t.enter_reload();
      break;
    case Kind::kMainExit:
      t.enter_running(t.last());
      break;
    case Kind::kProcessesGone:
    case Kind::kBusNameLost:
      // Finds out whether that was all of it.
      t.enter_running(Result::kSuccess);
      break;
    case Kind::kTimeout:
      t.log(ServiceLog::kRuntimeLimit);
      t.enter_stop(Result::kTimeout);
      break;
    case Kind::kNotifyReloading:
      t.enter_reload_by_notify();
      break;
    case Kind::kNotifyStopping:
      t.enter_stop_by_notify();
      break;
    case Kind::kNotifyMainPid:
      t.set_main_pid(event.pid, event.flag);
      break;
    default:
      break;
  }
}

void in_exited(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kStop:
      t.enter_stop(Result::kSuccess);
      break;
    case Kind::kReload:
      t.enter_reload();
      break;
    default:
      break;  // its processes are of the past
  }
}

// reload, reload-signal, reload-notify
void in_reload(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kStop:
      t.enter_signal(State::kStopSigterm, Result::kSuccess);
      break;
    case Kind::kMainExit:
      if (t.has_no_control()) t.enter_stop(t.last());
      break;
    case Kind::kControlExit:
      t.control_ended_in_reload();
      break;
    case Kind::kTimeout:
      t.log(ServiceLog::kReloadTimeout);
      t.kill_control();
      t.state().reload_result = Result::kTimeout;
      // Who has told by itself that it reloads goes on doing so until it says otherwise.
      if (t.is(State::kReloadNotify)) t.state().notify = NotifyState::kUnknown;
      t.enter_running(Result::kSuccess);
      break;
    case Kind::kNotifyReady:
      // Of a service that reloads by itself; ExecReload= ends with its command.
      if (t.is(State::kReloadSignal)) {
        t.ready_in_reload_signal(event);
      } else if (t.has_no_control()) {
        t.enter_running(Result::kSuccess);
      }
      break;
    case Kind::kNotifyReloading:
      if (t.is(State::kReloadSignal)) t.reloading_in_reload_signal(event);
      break;
    case Kind::kNotifyMainPid:
      t.set_main_pid(event.pid, event.flag);
      break;
    default:
      break;
  }
}

void in_stop(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kControlExit:
      t.enter_signal(State::kStopSigterm, t.last());
      break;
    case Kind::kTimeout:
      t.stop_timed_out();
      break;
    default:
      break;  // the main process may end meanwhile; its exit is recorded
  }
}

// stop-watchdog, stop-sigterm, stop-sigkill
void in_stop_signal(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kMainExit:
      if (t.has_no_control()) t.enter_stop_post(t.last());
      break;
    case Kind::kControlExit:
      if (!t.is_main_alive()) t.enter_stop_post(t.last());
      break;
    case Kind::kProcessesGone:
      if (!t.is_main_alive() && t.has_no_control()) t.enter_stop_post(Result::kSuccess);
      break;
    case Kind::kTimeout:
      t.stop_signal_timed_out();
      break;
    default:
      break;  // it is on its way out already
  }
}

void in_stop_post(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kMainExit:
      if (t.has_no_control()) t.enter_signal(State::kFinalSigterm, t.last());
      break;
    case Kind::kControlExit:
      if (!t.is_main_alive()) t.enter_signal(State::kFinalSigterm, t.last());
      break;
    case Kind::kProcessesGone:
      if (!t.is_main_alive() && t.has_no_control()) {
        t.enter_dead(Result::kSuccess, Transitions::Restart::kAllowed);
      }
      break;
    case Kind::kTimeout:
      t.stop_post_timed_out();
      break;
    default:
      break;
  }
}

// final-watchdog, final-sigterm, final-sigkill
void in_final_signal(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kMainExit:
      if (t.has_no_control()) t.enter_dead(t.last(), Transitions::Restart::kAllowed);
      break;
    case Kind::kControlExit:
      if (!t.is_main_alive()) t.enter_dead(t.last(), Transitions::Restart::kAllowed);
      break;
    case Kind::kProcessesGone:
      if (!t.is_main_alive() && t.has_no_control()) {
        t.enter_dead(Result::kSuccess, Transitions::Restart::kAllowed);
      }
      break;
    case Kind::kTimeout:
      t.final_signal_timed_out();
      break;
    default:
      break;
  }
}

void in_cleaning(Transitions& t, const ServiceEvent& event) noexcept {
  switch (event.kind) {
    case Kind::kStop:
      t.enter_signal(State::kFinalSigkill, Result::kSuccess);
      break;
    case Kind::kControlExit:
    case Kind::kTimeout:
      t.enter_dead(Result::kSuccess, Transitions::Restart::kForbidden);
      break;
    default:
      break;
  }
}

}  // namespace

void step(ServiceState& state, const ServiceEvent& event, const ServiceFacts& facts,
          ServiceActions& actions) noexcept {
  actions.clear();
  Transitions t(state, facts, actions);
  if (event.kind == Kind::kProcessesGone) t.assume_no_processes();
  if (answer_anywhere(t, event)) return;
  switch (state.sub) {
    case State::kDead:
    case State::kFailed:
      return in_rest(t, event);
    case State::kAutoRestart:
      return in_auto_restart(t, event);
    case State::kCondition:
      return in_condition(t, event);
    case State::kStartPre:
      return in_start_pre(t, event);
    case State::kStart:
      return in_start(t, event);
    case State::kStartPost:
      return in_start_post(t, event);
    case State::kRunning:
      return in_running(t, event);
    case State::kExited:
      return in_exited(t, event);
    case State::kReload:
    case State::kReloadSignal:
    case State::kReloadNotify:
      return in_reload(t, event);
    case State::kStop:
      return in_stop(t, event);
    case State::kStopWatchdog:
    case State::kStopSigterm:
    case State::kStopSigkill:
      return in_stop_signal(t, event);
    case State::kStopPost:
      return in_stop_post(t, event);
    case State::kFinalWatchdog:
    case State::kFinalSigterm:
    case State::kFinalSigkill:
      return in_final_signal(t, event);
    case State::kCleaning:
      return in_cleaning(t, event);
    // No service is in them: see mount_machine.cc.
    case State::kMounting:
    case State::kMountingDone:
    case State::kMounted:
    case State::kRemounting:
    case State::kRemountingSigterm:
    case State::kRemountingSigkill:
    case State::kUnmounting:
    case State::kUnmountingSigterm:
    case State::kUnmountingSigkill:
      return;
  }
}

}  // namespace flotilla::init
