// What others ask about a service's state.
#include "init/service_machine.h"

namespace flotilla::init {

using Kind = ServiceEvent::Kind;
using State = ServiceSubState;

StartAnswer answer_to_start(ServiceSubState state) noexcept {
  switch (state) {
    case State::kDead:
    case State::kFailed:
      return StartAnswer::kBegin;
    case State::kCondition:
    case State::kStartPre:
    case State::kStart:
    case State::kStartPost:
    case State::kMounting:
    case State::kMountingDone:
      return StartAnswer::kUnderWay;
    case State::kRunning:
    case State::kExited:
    case State::kReload:
    case State::kReloadSignal:
    case State::kReloadNotify:
    case State::kMounted:
    case State::kRemounting:
    case State::kRemountingSigterm:
    case State::kRemountingSigkill:
      return StartAnswer::kAlreadyThere;
    case State::kAutoRestart:
    case State::kStop:
    case State::kStopWatchdog:
    case State::kStopSigterm:
    case State::kStopSigkill:
    case State::kStopPost:
    case State::kFinalWatchdog:
    case State::kFinalSigterm:
    case State::kFinalSigkill:
    case State::kCleaning:
    case State::kUnmounting:
    case State::kUnmountingSigterm:
    case State::kUnmountingSigkill:
      return StartAnswer::kLater;
  }
  return StartAnswer::kLater;
}

NeededFacts needed_facts(const ServiceSettings& settings, const ServiceCommands& commands,
                         const ServiceState& state, ServiceEvent::Kind event) noexcept {
  NeededFacts needed;
  // The unit's processes are asked only where no main process tells whether it runs.
  const bool begins = event == Kind::kSpawned ||
                      (event == Kind::kStart && !commands[ServiceCommand::kStart].empty());
  needed.processes = !state.main_pid_known && !begins && event != Kind::kNotifyWatchdog &&
                     event != Kind::kNotifyExtend;
  const bool may_load = event == Kind::kControlExit || event == Kind::kMainExit;
  needed.pid_file = !settings.extras->pid_file.empty() && (may_load || event == Kind::kPidFile);
  needed.guess = settings.type == ServiceType::kForking && settings.guess_main_pid &&
                 settings.extras->pid_file.empty() && !state.main_pid_known &&
                 event == Kind::kControlExit;
  // The end of the main process is one of many where the whole cgroup counts.
  if (settings.exit_type == ExitType::kCgroup && !begins) needed.processes = true;
  // Another process may still say READY=1 for the main one.
  if (event == Kind::kMainExit && state.sub == ServiceSubState::kStart &&
      settings.remain_after_exit) {
    needed.processes = true;
  }
  // Whether it is hopeless to wait for a PID file depends on who is left to write it.
  if (needed.pid_file && event == Kind::kControlExit) needed.processes = true;
  return needed;
}

bool minds_left_overs(const KillSettings& kill, const ServiceState& state,
                      ServiceEvent::Kind event) noexcept {
  if (kill.send_sigkill) return false;
  if (kill.mode != KillMode::kControlGroup && kill.mode != KillMode::kMixed) return false;
  return event == Kind::kStart || (event == Kind::kControlExit && (state.sub == State::kCondition ||
                                                                   state.sub == State::kStartPre));
}

ActiveState active_state_of(ServiceType type, ServiceSubState state) noexcept {
  if (type == ServiceType::kIdle) {
    switch (state) {
      case State::kCondition:
      case State::kStartPre:
      case State::kStart:
      case State::kStartPost:
        return ActiveState::kActive;
      default:
        break;
    }
  }
  return active_state_of(state);
}

}  // namespace flotilla::init
