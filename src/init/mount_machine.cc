#include "init/mount_machine.h"

#include "init/restart_policy.h"

namespace flotilla::init {
namespace {

using Action = ServiceAction::Kind;
using Awaits = ServiceState::Awaits;
using Kind = ServiceEvent::Kind;
using Result = ServiceResult;
using State = ServiceSubState;

// Mounts may lie on top of each other: each attempt takes one away.
constexpr uint32_t kMaxUnmounts = 32;

bool is_remounting(State sub) noexcept {
  return sub == State::kRemounting || sub == State::kRemountingSigterm ||
         sub == State::kRemountingSigkill;
}

bool is_unmounting(State sub) noexcept {
  return sub == State::kUnmounting || sub == State::kUnmountingSigterm ||
         sub == State::kUnmountingSigkill;
}

class Steps {
 public:
  Steps(ServiceState& state, const ServiceFacts& facts, ServiceActions& actions) noexcept
      : s_(state), facts_(facts), actions_(actions) {}

  void answer(const ServiceEvent& event) noexcept {
    switch (event.kind) {
      case Kind::kStart:
        return start();
      case Kind::kStartRefused:
        log(ServiceLog::kStartLimit);
        return enter_dead(Result::kStartLimitHit);
      case Kind::kStop:
        return stop();
      case Kind::kReload:
        if (s_.sub == State::kMounted) run(ServiceCommand::kReload);
        return;
      case Kind::kResetFailed:
        if (s_.sub == State::kFailed) enter(State::kDead);
        s_.result = s_.reload_result = Result::kSuccess;
        return;
      case Kind::kSpawned:
        if (s_.awaits == Awaits::kSpawn) spawned(event.pid);
        return;
      case Kind::kSpawnFailed:
        if (s_.awaits == Awaits::kSpawn) spawn_failed();
        return;
      case Kind::kKillSent:
        if (s_.awaits == Awaits::kKill) kill_sent(event.flag);
        return;
      case Kind::kControlExit:
        if (s_.control_pid != 0) exited(event.exit);
        return;
      case Kind::kTimeout:
        return timed_out();
      case Kind::kMounted:
        return mounted();
      case Kind::kUnmounted:
        return unmounted();
      default:
        return;  // of services
    }
  }

 private:
  // --- Requests ---

  void start() noexcept {
    if (s_.sub != State::kDead && s_.sub != State::kFailed) return;
    s_.result = s_.reload_result = Result::kSuccess;
    actions_.add(Action::kBeginRun);
    run(ServiceCommand::kStart);
  }

  void stop() noexcept {
    switch (s_.sub) {
      case State::kMounting:
      case State::kMountingDone:
      case State::kRemounting:
      case State::kRemountingSigterm:
      case State::kRemountingSigkill:
        // It is not waited for.
        return enter_signal(State::kUnmountingSigterm, Result::kSuccess);
      case State::kMounted:
        s_.n_restarts = 0;
        return run(ServiceCommand::kStop);
      default:
        return;  // on its way out, or there is nothing
    }
  }

  // --- Commands ---

  void run(ServiceCommand command) noexcept {
    if (command == ServiceCommand::kReload) s_.reload_result = Result::kSuccess;
    drop_control();
    s_.has_control_command = true;
    s_.control_command = command;
    s_.control_index = 0;
    s_.awaits = Awaits::kSpawn;
    s_.spawns_main = false;
    ServiceAction& action = actions_.add(Action::kSpawn);
    action.command = command;
    action.is_control = true;
  }

  void spawned(pid_t pid) noexcept {
    s_.awaits = Awaits::kNothing;
    s_.control_pid = pid;
    arm();
    const State next = s_.control_command == ServiceCommand::kStart    ? State::kMounting
                       : s_.control_command == ServiceCommand::kReload ? State::kRemounting
                                                                       : State::kUnmounting;
    if (next != s_.sub) enter(next);
  }

  void spawn_failed() noexcept {
    s_.awaits = Awaits::kNothing;
    log(ServiceLog::kMountTask).command = s_.control_command;
    s_.has_control_command = false;
    if (s_.control_command != ServiceCommand::kReload) {
      return enter_what_is(Result::kResources);
    }
    s_.reload_result = Result::kResources;
    enter_what_is(Result::kSuccess);
  }

  void exited(const ProcessExit& exit) noexcept {
    const Result result = result_of(exit, CleanEnd::kCommand, {});
    s_.control_pid = 0;
    if (is_remounting(s_.sub)) {
      s_.reload_result = result;
    } else if (s_.result == Result::kSuccess) {
      s_.result = result;
    }
    ServiceAction& line = log(ServiceLog::kMountExited);
    line.exit = exit;
    line.is_success = result == Result::kSuccess;
    switch (s_.sub) {
      case State::kMounting:
        if (result != Result::kSuccess) return enter_dead(result);
        log(ServiceLog::kNoMount);
        return enter_dead(Result::kProtocol);
      case State::kMountingDone:
        return enter_mounted(result);
      case State::kUnmounting:
        return unmount_ended(result);
      case State::kUnmountingSigterm:
      case State::kUnmountingSigkill:
        return enter_what_is(result);
      default:
        return enter_what_is(Result::kSuccess);
    }
  }

  void unmount_ended(Result result) noexcept {
    if (result == Result::kSuccess && facts_.is_mounted) {
      if (++s_.n_restarts < kMaxUnmounts) return run(ServiceCommand::kStop);
      log(ServiceLog::kStillMounted).number = s_.n_restarts;
      return enter_mounted(Result::kSuccess);
    }
    if (result == Result::kExitCode && !facts_.is_mounted) {
      // Somebody else was faster.
      s_.result = Result::kSuccess;
    }
    enter_what_is(Result::kSuccess);
  }

  // --- Signals ---

  void enter_signal(State sub, Result result) noexcept {
    note(result);
    const bool kills = sub == State::kRemountingSigkill || sub == State::kUnmountingSigkill;
    const KillPlan plan =
        plan_kill(facts_.kill, kills ? KillOperation::kKill : KillOperation::kTerminate, false,
                  s_.control_pid > 0);
    if (plan.nothing()) return killed_nothing(sub);
    s_.awaits = Awaits::kKill;
    s_.kill_state = sub;
    actions_.add(Action::kKill).kill = plan;
  }

  void kill_sent(bool waits) noexcept {
    s_.awaits = Awaits::kNothing;
    if (!waits) return killed_nothing(s_.kill_state);
    arm();
    enter(s_.kill_state);
  }

  void killed_nothing(State sub) noexcept {
    const bool may_kill = facts_.kill.send_sigkill;
    if (sub == State::kRemountingSigterm && may_kill) {
      return enter_signal(State::kRemountingSigkill, Result::kSuccess);
    }
    if (sub == State::kUnmountingSigterm && may_kill) {
      return enter_signal(State::kUnmountingSigkill, Result::kSuccess);
    }
    enter_what_is(Result::kSuccess);
  }

  void timed_out() noexcept {
    const bool may_kill = facts_.kill.send_sigkill;
    switch (s_.sub) {
      case State::kMounting:
      case State::kMountingDone:
      case State::kUnmounting:
        log(ServiceLog::kMountTimeout);
        return enter_signal(State::kUnmountingSigterm, Result::kTimeout);
      case State::kRemounting:
        log(ServiceLog::kMountTimeout);
        s_.reload_result = Result::kTimeout;
        return enter_signal(State::kRemountingSigterm, Result::kSuccess);
      case State::kRemountingSigterm:
      case State::kUnmountingSigterm: {
        log(ServiceLog::kMountTimeout).answer =
            may_kill ? TimeoutAnswer::kKilling : TimeoutAnswer::kSkippingSigkill;
        const bool remounts = s_.sub == State::kRemountingSigterm;
        const Result result = remounts ? Result::kSuccess : Result::kTimeout;
        if (!may_kill) return enter_what_is(result);
        return enter_signal(remounts ? State::kRemountingSigkill : State::kUnmountingSigkill,
                            result);
      }
      case State::kRemountingSigkill:
        log(ServiceLog::kMountAround);
        return enter_what_is(Result::kSuccess);
      case State::kUnmountingSigkill:
        log(ServiceLog::kMountAround);
        return enter_what_is(Result::kTimeout);
      case State::kCleaning:
        return enter(State::kDead);
      default:
        return;
    }
  }

  // --- What the kernel says ---

  void mounted() noexcept {
    switch (s_.sub) {
      case State::kDead:
      case State::kFailed:
        s_.result = s_.reload_result = Result::kSuccess;
        actions_.add(Action::kBeginRun);
        return enter_mounted(Result::kSuccess);
      case State::kMounting:
        return enter(State::kMountingDone);
      default:
        return;
    }
  }

  void unmounted() noexcept {
    if (s_.sub == State::kMounted) return enter_dead(Result::kSuccess);
    // mount(8) may have undone what it did; its exit will tell.
    if (s_.sub == State::kMountingDone) enter(State::kMounting);
  }

  // --- Into a state ---

  void enter(State sub) noexcept {
    const bool runs = sub == State::kMounting || sub == State::kMountingDone ||
                      is_remounting(sub) || is_unmounting(sub);
    if (!runs) {
      drop_control();
      s_.timeout_at = base::MonotonicTime::never();
    }
    s_.sub = sub;
    actions_.add(Action::kEnterState).state = sub;
  }

  void enter_mounted(Result result) noexcept {
    note(result);
    enter(State::kMounted);
  }

  void enter_dead(Result result) noexcept {
    note(result);
    if (s_.result == Result::kSuccess) {
      log(ServiceLog::kSucceeded);
    } else {
      log(ServiceLog::kFailed).result = s_.result;
    }
    enter(s_.result == Result::kSuccess ? State::kDead : State::kFailed);
    actions_.add(Action::kReleaseResources);
  }

  void enter_what_is(Result result) noexcept {
    facts_.is_mounted ? enter_mounted(result) : enter_dead(result);
  }

  // --- Small things ---

  void note(Result result) noexcept {
    if (s_.result == Result::kSuccess) s_.result = result;
  }
  void arm() noexcept { s_.timeout_at = facts_.now + facts_.service.timeout_start; }
  void drop_control() noexcept {
    if (s_.control_pid > 0) actions_.add(Action::kUnwatchControl).pid = s_.control_pid;
    s_.control_pid = 0;
  }
  ServiceAction& log(ServiceLog line) noexcept {
    ServiceAction& action = actions_.add(Action::kLog);
    action.log = line;
    action.state = s_.sub;
    return action;
  }

  ServiceState& s_;
  const ServiceFacts& facts_;
  ServiceActions& actions_;
};

}  // namespace

void step_mount(ServiceState& state, const ServiceEvent& event, const ServiceFacts& facts,
                ServiceActions& actions) noexcept {
  actions.clear();
  Steps(state, facts, actions).answer(event);
}

}  // namespace flotilla::init
