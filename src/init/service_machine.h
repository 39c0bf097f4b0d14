// The service state machine: a pure function from a service's settings, its state and an event to
// the next state and what is to be done. No clock, no process, no file; never allocates.
//
//     dead -> condition -> start-pre -> start -> start-post -> running -> stop -> stop-sigterm
//                                                   |  ^          |        -> stop-sigkill
//                                                   v  |          v           |
//                                                  exited     reload      stop-post ->
//                                                  final-sigterm
//                                                                           -> final-sigkill
//     dead | failed [-> auto-restart -> (restart job: dead) -> ...] <-----------+
//
// A state without commands is passed through unseen. `stop-watchdog` and `final-watchdog` stand
// where a service is aborted instead of terminated; `reload-signal` and `reload-notify` where a
// service of Type=notify-reload was told to reload, and where it has said that it does.
//
// How to drive it. step() changes the state and fills `actions`; carry them out in order. A spawn
// or a kill is always the last action of a step, and its outcome goes back at once, before any
// other event, as Event::spawned(), Event::spawn_failed() or Event::kill_sent(); nothing else may
// be fed while state.awaits is set. After the last step of a turn, arm two timers at
// state.timeout_at and state.watchdog_at (never(): none); when one expires feed Event::timeout() or
// Event::watchdog_timeout().
#pragma once

#include <sys/types.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "init/kill_plan.h"
#include "init/restart_policy.h"
#include "init/unit_settings.h"
#include "init/unit_state.h"

namespace flotilla::init {

enum class NotifyState : uint8_t { kUnknown, kReady, kReloading, kStopping };

// Plain data, all a service is between two events.
struct ServiceState {
  ServiceSubState sub = ServiceSubState::kDead;
  ServiceResult result = ServiceResult::kSuccess;
  ServiceResult reload_result = ServiceResult::kSuccess;

  bool main_pid_known : 1 = false;  // it may be known and dead
  bool main_pid_alien : 1 = false;  // not our child: its exit is told without a status

  // Which lines of the files the processes are of.
  bool has_main_command : 1 = false;  // the main process was started by us, from ExecStart=
  bool has_control_command : 1 = false;
  ServiceCommand control_command = ServiceCommand::kCount;
  uint16_t main_index = 0;
  uint16_t control_index = 0;

  pid_t main_pid = 0;  // 0: none alive
  pid_t control_pid = 0;
  ProcessExit main_exit;  // of the last main process since the start

  uint32_t n_restarts = 0;            // of a mount: attempts to unmount
  bool flush_n_restarts : 1 = false;  // the next start counts from zero

  bool bus_name_owned : 1 = false;
  bool waits_for_pid_file : 1 = false;
  bool stopped_by_job : 1 = false;    // so Restart= does not apply
  bool condition_failed : 1 = false;  // ExecCondition= said no
  NotifyState notify = NotifyState::kUnknown;

  // A spawn or kill whose outcome has not come back yet.
  enum class Awaits : uint8_t { kNothing, kSpawn, kKill };
  Awaits awaits = Awaits::kNothing;
  bool spawns_main = false;  // kSpawn: it is to be the main process, not a control process
  ServiceSubState kill_state = ServiceSubState::kDead;  // what it becomes if somebody was signalled

  base::MonotonicTime timeout_at = base::MonotonicTime::never();
  base::MonotonicTime watchdog_at = base::MonotonicTime::never();
  base::MonotonicTime watchdog_fed{};  // the last ping; zero: none
  // In force: WatchdogSec= as the run began, or what the service itself asked for; kInfinity or 0:
  // none.
  base::Micros watchdog = kInfinity;
  base::MonotonicTime reload_begin{};  // of a reload by signal
  base::MonotonicTime active_since{};  // zero: not active
};

// What the machine must know of the world besides the event.
struct ServiceFacts {
  const ServiceSettings& service;
  const ServiceCommands& commands;
  const KillSettings& kill;
  base::MonotonicTime now;
  bool stop_job = false;     // the unit's job, waiting or running, is a stop
  bool restart_job = false;  // ... is a restart
  // Those below cost system calls: fill what needed_facts() names.
  enum class Processes : uint8_t { kUnknown, kNone, kSome } processes = Processes::kUnknown;
  pid_t pid_from_file = 0;  // a living, suitable process that PIDFile= names; 0: none
  bool pid_from_file_alien = false;
  pid_t guessed_main_pid = 0;  // the only process of the cgroup, where GuessMainPID= is on; 0: none
  base::Micros runtime_extra{0};  // drawn from RuntimeRandomizedExtraSec=
  bool is_mounted = false;        // of mounts: as the kernel says
  bool left_overs = false;  // an earlier run has processes that SendSIGKILL=no keeps from an end
};

struct ServiceEvent {
  enum class Kind : uint8_t {
    kStart,         // a start job, conditions and start limit passed; see answer_to_start()
    kStartRefused,  // as kStart, but the start limit is hit
    kStop,          // a stop or restart job
    kReload,        // a reload job
    kResetFailed,
    kSpawned,      // exec_done false: the child exists, failed its set-up and will exit by itself
    kSpawnFailed,  // there is no child: no memory, EnvironmentFile= missing, ...
    kExecuted,     // the main process, spawned with exec_done false, runs its program after all
    kKillSent,     // waits: at least one process was reached whose end can be waited for
    kMainExit,
    kControlExit,
    kProcessesGone,  // the unit's last process is gone (cgroup empty)
    kTimeout,
    kWatchdogTimeout,
    kNotifyReady,
    kNotifyReloading,
    kNotifyStopping,
    kNotifyMainPid,       // checked by the edge: alive and suitable
    kNotifyExtend,        // EXTEND_TIMEOUT_USEC=
    kNotifyWatchdog,      // WATCHDOG=1
    kNotifyTrigger,       // WATCHDOG=trigger
    kNotifyWatchdogUsec,  // WATCHDOG_USEC=
    kBusNameAcquired,
    kBusNameLost,
    kPidFile,        // PIDFile= names a suitable process now (facts.pid_from_file)
    kRestartFailed,  // the job asked for by kQueueRestart was refused
    kOutOfMemory,    // the kernel killed a process of the unit
    kMounted,        // a mount appeared where the unit's is, or is another now
    kUnmounted,      // it is there no more
    kCount,
  };
  Kind kind;
  pid_t pid = 0;
  // kSpawned: exec_done; kKillSent: waits; kNotifyMainPid: alien; kNotifyReady: with RELOADING=1
  bool flag = false;
  ProcessExit exit;
  base::Micros span{0};  // kNotifyExtend, kNotifyWatchdogUsec; MONOTONIC_USEC= of kNotifyReady and
                         // kNotifyReloading, 0: none

  static ServiceEvent of(Kind kind) noexcept { return {kind, 0, false, {}, base::Micros{0}}; }
  static ServiceEvent spawned(pid_t pid, bool exec_done) noexcept {
    return {Kind::kSpawned, pid, exec_done, {}, base::Micros{0}};
  }
  static ServiceEvent kill_sent(bool waits) noexcept {
    return {Kind::kKillSent, 0, waits, {}, base::Micros{0}};
  }
  static ServiceEvent main_exit(ProcessExit exit) noexcept {
    return {Kind::kMainExit, 0, false, exit, base::Micros{0}};
  }
  static ServiceEvent control_exit(ProcessExit exit) noexcept {
    return {Kind::kControlExit, 0, false, exit, base::Micros{0}};
  }
  static ServiceEvent notify_main_pid(pid_t pid, bool alien) noexcept {
    return {Kind::kNotifyMainPid, pid, alien, {}, base::Micros{0}};
  }
  static ServiceEvent notify_span(Kind kind, base::Micros span) noexcept {
    return {kind, 0, false, {}, span};
  }
};

// One line for the log, as data; text_of() makes the words.
enum class ServiceLog : uint8_t {
  kMainExited,        // exit, is_success
  kControlExited,     // command, exit, is_success
  kSucceeded,         // "Deactivated successfully."
  kSkipped,           // "Skipped due to 'exec-condition'."
  kFailed,            // result
  kTaskFailed,        // "Failed to run 'start' task": command
  kStartLimit,        // "Start request repeated too quickly."
  kRestartScheduled,  // number
  kStartTimeout,      // state; kill: what is done about it
  kRuntimeLimit,
  kReloadTimeout,
  kStopTimeout,   // "Stopping timed out. Terminating."
  kStateTimeout,  // "State 'stop-sigterm' timed out. Killing."
  kStillAround,   // after SIGKILL
  kStillAroundFinal,
  kWatchdog,         // span: the limit
  kWatchdogRequest,  // WATCHDOG=trigger; the edge puts the status text behind
  kNoPidFile,        // "Daemon never wrote its PID file. Failing."
  kAlienMainPid,     // pid: not our child
  kOutOfMemory,
  kMountExited,   // exit, is_success
  kMountTask,     // "Failed to run 'mount' task": command
  kNoMount,       // mount(8) has ended well, and nothing is mounted
  kStillMounted,  // number: of attempts
  kMountTimeout,  // state; answer
  kMountAround,   // after SIGKILL
};
// What a timeout makes the machine do; the last word of its log line.
enum class TimeoutAnswer : uint8_t { kTerminating, kAborting, kKilling, kSkippingSigkill };

struct ServiceAction {
  enum class Kind : uint8_t {
    kEnterState,    // state; flag: an automatic restart follows (no OnFailure= yet). The unit's
                    // job is to be judged and its dependents told
    kBeginRun,      // a start begins: new invocation id, status text and exec records cleared
    kSpawn,         // command, index; is_control. Await the outcome
    kKill,          // kill. Await the outcome
    kReloadSignal,  // ReloadSignal= to the pid of `pid`
    kKillControl,   // SIGKILL to the pid of `pid`, no outcome awaited
    kUnwatchMain,   // the process `pid` is not ours to watch any more
    kUnwatchControl,
    kWatchMain,     // the main process is `pid` from now on; flag: alien
    kWatchPidFile,  // until kUnwatchPidFile; feed kPidFile when it names a process
    kUnwatchPidFile,
    kQueueRestart,  // put in a restart job (mode replace)
    kPropagateReload,
    kReleaseResources,  // the run is over: runtime directories, PID file, fd store unless flag (an
                        // automatic restart follows), users
    kLog,
  };
  Kind kind = Kind::kLog;

  ServiceSubState state = ServiceSubState::kDead;
  bool flag = false;
  ServiceCommand command = ServiceCommand::kCount;
  uint16_t index = 0;
  bool is_control = false;
  pid_t pid = 0;
  KillPlan kill;

  ServiceLog log = ServiceLog::kFailed;
  ServiceResult result = ServiceResult::kSuccess;
  ProcessExit exit;
  TimeoutAnswer answer = TimeoutAnswer::kTerminating;
  bool is_success = false;
  uint32_t number = 0;
  base::Micros span{0};
};

// Room for the longest step; a step that overflows it is a bug.
class ServiceActions {
 public:
  static constexpr size_t kCapacity = 16;
  void clear() noexcept { size_ = 0; }
  ServiceAction& add(ServiceAction::Kind kind) noexcept {
    assert(size_ < kCapacity);
    ServiceAction& action = items_[size_++];
    action = {};
    action.kind = kind;
    return action;
  }
  const ServiceAction* begin() const noexcept { return items_.data(); }
  const ServiceAction* end() const noexcept { return items_.data() + size_; }
  size_t size() const noexcept { return size_; }
  const ServiceAction& operator[](size_t i) const noexcept { return items_[i]; }

 private:
  std::array<ServiceAction, kCapacity> items_;
  size_t size_ = 0;
};

// Clears `actions` and fills it. An event that means nothing in the state gives no action.
// Requires: state.awaits is kNothing, or the event is its outcome.
void step(ServiceState& state, const ServiceEvent& event, const ServiceFacts& facts,
          ServiceActions& actions) noexcept;

// What a start job finds. Count the start limit and test conditions only for kBegin.
enum class StartAnswer : uint8_t {
  kBegin,         // feed kStart (or kStartRefused)
  kUnderWay,      // being started already: the job waits for its end
  kAlreadyThere,  // running: the job is done
  kLater,         // stopping, or an automatic restart is pending: the job goes on waiting
};
StartAnswer answer_to_start(ServiceSubState state) noexcept;

// Which of the costly facts this event needs in this state.
struct NeededFacts {
  bool processes = false;
  bool pid_file = false;
  bool guess = false;
};
NeededFacts needed_facts(const ServiceSettings& settings, const ServiceCommands& commands,
                         const ServiceState& state, ServiceEvent::Kind event) noexcept;
// Whether facts.left_overs is to be filled.
bool minds_left_overs(const KillSettings& kill, const ServiceState& state,
                      ServiceEvent::Kind event) noexcept;

// What `systemctl` shows as ACTIVE. Type=idle counts as active from its first command on, so that
// nothing that is ordered behind it waits.
ActiveState active_state_of(ServiceType type, ServiceSubState state) noexcept;

// Whether a later start may follow without anybody's doing.
constexpr bool will_restart(const ServiceState& state) noexcept {
  return state.sub == ServiceSubState::kAutoRestart;
}

// Priority (LOG_*) and words of a log action, as systemd's journal has them, without the unit's
// name in front. Allocates.
int priority_of(const ServiceAction& log) noexcept;
std::string text_of(const ServiceAction& log);

}  // namespace flotilla::init
