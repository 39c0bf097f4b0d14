// What happens on the way from one service state into another: shared by the rows of the table in
// service_machine.cc, their only user. Each enter_...() carries the service on as far as
// it goes without waiting for anything: a state that has nothing to run is passed through.
#pragma once

#include "init/service_machine.h"

namespace flotilla::init {

class Transitions {
 public:
  enum class Restart : uint8_t { kAllowed, kForbidden };

  Transitions(ServiceState& state, const ServiceFacts& facts, ServiceActions& actions) noexcept
      : s_(state), facts_(facts), actions_(actions) {}

  ServiceState& state() noexcept { return s_; }
  ServiceType type() const noexcept { return facts_.service.type; }
  bool says_ready() const noexcept { return init::says_ready(type()); }
  bool is_in_rest() const noexcept {
    return is(ServiceSubState::kDead) || is(ServiceSubState::kFailed) ||
           is(ServiceSubState::kAutoRestart) || is(ServiceSubState::kCleaning);
  }
  // Whether the end of the main process is no end of the service yet (ExitType=cgroup).
  bool outlives_main() const noexcept {
    return facts_.service.exit_type == ExitType::kCgroup &&
           processes_ == ServiceFacts::Processes::kSome;
  }
  bool ends_with_cgroup() const noexcept { return facts_.service.exit_type == ExitType::kCgroup; }
  bool is(ServiceSubState sub) const noexcept { return s_.sub == sub; }
  // The result of the process whose exit is being handled.
  ServiceResult last() const noexcept { return last_; }
  // The event itself says that the unit has no process left.
  void assume_no_processes() noexcept { processes_ = ServiceFacts::Processes::kNone; }

  // --- Outcomes that were awaited ---
  void on_spawned(pid_t pid, bool exec_done) noexcept;
  void on_spawn_failed() noexcept;
  void on_kill_sent(bool waits) noexcept;

  // --- Processes ---
  // Records an exit. False: that is all there is to it, for the service goes on with its next
  // command or another main process.
  bool record_main_exit(ProcessExit exit) noexcept;
  bool record_control_exit(ProcessExit exit) noexcept;
  bool is_main_alive() const noexcept { return s_.main_pid_known && s_.main_pid > 0; }
  bool is_main_dead() const noexcept { return s_.main_pid_known && s_.main_pid == 0; }
  bool has_no_control() const noexcept { return s_.control_pid == 0; }
  void set_main_pid(pid_t pid, bool alien) noexcept;
  // Takes the main process from the PID file; false where that names none.
  bool load_pid_file() noexcept;
  void guess_main_pid() noexcept;
  bool gave_up_on_pid_file() noexcept;
  void kill_control() noexcept;

  // --- Rows with more than one answer ---
  void main_ended_in_start() noexcept;
  void control_ended_in_start() noexcept;
  void control_ended_in_start_post() noexcept;
  void control_ended_in_reload() noexcept;
  void ready_in_reload_signal(const ServiceEvent& event) noexcept;
  void reloading_in_reload_signal(const ServiceEvent& event) noexcept;
  void out_of_memory() noexcept;
  void watchdog_requested() noexcept;
  void start_timed_out() noexcept;
  void stop_timed_out() noexcept;
  void stop_signal_timed_out() noexcept;
  void stop_post_timed_out() noexcept;
  void final_signal_timed_out() noexcept;
  void watchdog_expired() noexcept;

  // --- Into a state ---
  void begin_run() noexcept;
  void refuse_to_run(ServiceCommand command) noexcept;
  void enter_start_pre() noexcept;
  void enter_start() noexcept;
  void enter_start_post() noexcept;
  void enter_running(ServiceResult result) noexcept;
  void enter_reload() noexcept;
  void enter_reload_by_notify() noexcept;
  void enter_stop(ServiceResult result) noexcept;
  void enter_stop_by_notify() noexcept;
  void enter_signal(ServiceSubState sub, ServiceResult result) noexcept;
  void enter_stop_post(ServiceResult result) noexcept;
  void enter_dead(ServiceResult result, Restart restart) noexcept;
  void queue_restart() noexcept;
  void reset_failed() noexcept;
  // The change itself: what a state does not have (processes, timers) ends, and it is announced.
  void enter(ServiceSubState sub, bool will_auto_restart = false) noexcept;

  // The first thing that goes wrong is the result of the run.
  void note(ServiceResult result) noexcept {
    if (s_.result == ServiceResult::kSuccess) s_.result = result;
  }

  // --- Timers ---
  void extend_timeout(base::Micros span) noexcept;
  void override_watchdog(base::Micros span) noexcept;
  void feed_watchdog() noexcept;

  ServiceAction& log(ServiceLog line) noexcept;

 private:
  bool has_command(ServiceCommand command, size_t index = 0) const noexcept;
  bool ignores_failure(ServiceCommand command, size_t index) const noexcept;
  void run_control(ServiceCommand command, size_t index) noexcept;
  void run_main(size_t index) noexcept;
  void drop_control() noexcept;
  void drop_main() noexcept;
  void arm(base::Micros span) noexcept;
  bool is_good() const noexcept;
  base::Micros timeout_abort() const noexcept;
  base::Micros timeout_of(ServiceCommand command) const noexcept;
  KillOperation operation_of(ServiceSubState sub) const noexcept;
  void killed_nothing(ServiceSubState sub) noexcept;
  void wait_for_pid_file(bool in_start) noexcept;
  // A stop ends processes twice: before ExecStopPost= and after it.
  enum class Phase : uint8_t { kStop, kFinal };
  void give_up(ServiceLog line, TimeoutFailureMode mode, Phase phase) noexcept;
  TimeoutFailureMode mode_behind(ServiceSubState sigterm) const noexcept;
  void log_timeout(ServiceLog line, TimeoutAnswer answer) noexcept;
  void log_end() noexcept;
  void main_spawned(bool exec_done) noexcept;
  void control_spawn_failed(ServiceCommand command, size_t index) noexcept;

  ServiceState& s_;
  const ServiceFacts& facts_;
  ServiceActions& actions_;
  ServiceFacts::Processes processes_ = facts_.processes;
  ServiceResult last_ = ServiceResult::kSuccess;
};

}  // namespace flotilla::init
