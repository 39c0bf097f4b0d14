// What a unit has if it is a service: the state machine's data, its timers and watches, its
// processes, and what is remembered of their runs. Owned by Unit; for the manager's own files.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/compact_vector.h"
#include "init/children.h"
#include "init/exec_context.h"
#include "init/exec_helper.h"
#include "init/fd_store.h"
#include "init/lazy.h"
#include "init/manager.h"
#include "init/path_watch.h"
#include "init/process_tracker.h"
#include "init/service_machine.h"
#include "init/timers.h"

namespace flotilla::init {

// What a service has while its processes go through flotilla-exec.
struct SandboxRuntime {
  std::unique_ptr<HelperRun> main, control;  // not at their programs yet
  std::shared_ptr<SandboxPlaces> places;
  std::shared_ptr<DynamicUser> user;
  std::shared_ptr<DynamicUser> group;  // where it has another name than the user
};

// What few services have of what they are while they run.
struct ServiceRuntimeExtras {
  std::unique_ptr<Timer> watchdog;            // of a service that has to feed one
  std::unique_ptr<Timer> verify;              // of a service that was taken over while it ran
  std::unique_ptr<PathWatch> pid_file_watch;  // while its coming is awaited
  std::unique_ptr<FdStore> fd_store;          // null: nothing was ever stored
  std::string status_text;
  int status_errno = 0;
  ServiceResult clean_result = ServiceResult::kSuccess;
  Timestamps watchdog_time;
  CommandRun control_run;
  std::unique_ptr<SandboxRuntime> sandbox;  // null: none of it
  std::shared_ptr<PreparedExec> main_exec;  // for automatic restarts; null where none will come
};

struct ServiceRuntime {
  // From an adoption to the look whether its processes are still there.
  static constexpr base::Micros kVerifyDelay{1'000'000};

  struct Stored;  // in manager_fd_store.cc

  ServiceRuntime(Manager::Impl& owner, Unit& of_unit);
  ServiceRuntime(const ServiceRuntime&) = delete;
  ServiceRuntime& operator=(const ServiceRuntime&) = delete;

  void on_timeout();
  void on_watchdog();
  void on_pid_file_change();
  void arm_verify();
  void on_verify();
  void on_main_exit(const ChildExit& exit);
  void on_control_exit(const ChildExit& exit);
  void on_processes_gone();
  void on_oom();
  void check_oom(const ChildExit& exit);
  void on_main_report(uint32_t events);
  void on_control_report(uint32_t events);

  Manager::Impl& manager;
  Unit& unit;

  ServiceState state;
  std::unique_ptr<Timer> timeout;  // while one is set
  Lazy<ServiceRuntimeExtras> extras;
  ChildWatch main_watch;
  std::unique_ptr<ChildWatch> control_watch;  // while there is a control process
  ChildWatch& watch_control();                // makes it
  std::unique_ptr<ProcessGroup> group;

  CommandRun main_run;
  struct PendingSpawn {
    ServiceCommand command = ServiceCommand::kCount;  // kCount: there is none
    bool is_control = false;
    uint16_t index = 0;
    bool is_set() const noexcept { return command != ServiceCommand::kCount; }
  };
  // The last run of each line of the files that ran since the start; null where it did not.
  CommandRun* find_run(ServiceCommand command, size_t index) noexcept;
  // A new process of this line. Makes main_run or control_run.
  void note_run(const CommandRun& run, ServiceCommand command, uint16_t index, bool is_control);
  // main_run becomes another process's: what it was is kept as its line's.
  void set_main_run_aside();
  // Whether the lines have run is still known if `keeps_lines`.
  void forget_runs(bool keeps_lines) noexcept;
  // The settings changed, or no automatic restart will come.
  void drop_main_exec() {
    if (extras->main_exec) extras.edit().main_exec.reset();
  }
  uint32_t uid = UINT32_MAX, gid = UINT32_MAX;
  uint64_t cpu_usage_nsec = UINT64_MAX;  // of the last run, once that is over

  bool streams_open : 1 = false;
  bool was_lost : 1 = false;             // at the first look of on_verify()
  bool is_abandoned : 1 = false;         // of a scope: whoever made it cares no more
  bool group_was_killed : 1 = false;     // then the next run gets a new one
  bool group_is_configured : 1 = false;  // what the settings say is in its files
  bool group_goes : 1 = false;           // it is over, and is removed at the end of the turn
  // The spawn whose outcome is not written down yet: a manager that finds it after a crash knows
  // what the pid beside the record is of.
  PendingSpawn pending_spawn;

 private:
  struct LineRun {
    CommandRun run;
    ServiceCommand command;
    uint16_t index;
  };
  static constexpr uint16_t kNoLine = UINT16_MAX;

  uint16_t main_line_ = kNoLine;       // of ExecStart=, whose last run is main_run
  base::CompactVector<LineRun> runs_;  // of all others
};

}  // namespace flotilla::init
