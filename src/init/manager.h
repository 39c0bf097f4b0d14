// Manager: the service manager of one machine. Owns the units, the jobs and the way from a request
// to processes and back; stands on seams alone (clock, timers, spawner, file tree, process tracker,
// state bytes), so that whole lives of services run in a test in virtual time.
//
// The bus façade talks to it through this header: questions are answered from memory, requests
// return what systemd's methods return, and an Observer hears what the signals of the bus say.
// Names and job ids cross a turn of the loop; references do not. Loop thread only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "init/unit.h"

namespace flotilla::init {

// A job as the bus shows it.
struct JobView {
  uint32_t id = 0;
  std::string unit;
  std::string_view
      type;  // "start", "stop", "restart", "try-restart", "reload", "verify-active", ...
  std::string_view state;  // "waiting" or "running"
};

// One line of the answers of LinkUnitFiles and its kin.
struct UnitFileChange {
  std::string type;         // "symlink" or "unlink"
  std::string file;         // the link
  std::string destination;  // what it points to
};

// Hears how a freeze or thaw has ended.
using FreezingDone = std::function<void(const base::Status&)>;

enum class KillWhom : uint8_t { kMain, kControl, kAll };

// Hears what the bus tells its subscribers. Called at the end of a turn of the loop, never from
// inside a request; must not call requests of the manager from inside a call.
class ManagerObserver {
 public:
  virtual ~ManagerObserver() = default;
  virtual void on_unit_new(const std::string& unit) = 0;
  virtual void on_unit_removed(const std::string& unit) = 0;
  // Some property of the unit changed; at most once per unit and turn.
  virtual void on_unit_changed(const std::string& unit) = 0;
  virtual void on_job_new(uint32_t id, const std::string& unit) = 0;
  // `result`: "done", "canceled", "timeout", "failed", "dependency", "skipped", ...
  virtual void on_job_removed(uint32_t id, const std::string& unit, std::string_view result) = 0;
  // A job's state went from waiting to running.
  virtual void on_job_changed(uint32_t id) = 0;
  virtual void on_reloading(bool active) = 0;
  // Boot is done: the words of the StartupFinished signal.
  virtual void on_startup_finished(base::Micros userspace) = 0;
};

struct ListedProcess;   // process_list.h
struct MountLine;       // mount_table.h
struct PropertyText;    // property_text.h
struct TransientUnit;   // property_text.h
struct ManagerOptions;  // manager_options.h: paths, default unit, environment
struct ShownConf;       // manager_conf.h
struct ManagerEdges;    // manager_options.h: the seams

class Manager {
 public:
  Manager(ManagerOptions options, ManagerEdges edges);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // At most one; null ends it.
  void set_observer(ManagerObserver* observer);

  // --- Units ---
  // The unit in memory by its id or an alias; null where it is not loaded.
  const Unit* find_unit(std::string_view name) const;
  // Loads it if need be. Fails with kInvalid for a bad name alone: a unit without a file comes back
  // with LoadState::kNotFound.
  base::Result<const Unit*> load_unit(std::string_view name);
  // The unit whose process this is; null: none of ours.
  const Unit* find_unit_by_pid(pid_t pid) const;
  const Unit* find_unit_by_invocation(const std::array<uint8_t, 16>& id) const;
  // Every loaded unit, by id.
  std::vector<const Unit*> units() const;
  // One dependency list of a unit as `show` prints it: what its files say and what others' files
  // say about it.
  std::vector<std::string> dependencies(const Unit& unit, Dependency kind) const;
  // Those that the unit's own files name.
  std::vector<std::string> declared_dependencies(const Unit& unit, Dependency kind) const;
  // Whether the files changed since they were loaded.
  bool need_daemon_reload(const Unit& unit) const;
  // "enabled", "static", ... and "enabled" or "disabled" as preset files have it; empty for a unit
  // without a file. What the disk said when it was first asked for after the last reload.
  std::string_view unit_file_state(const Unit& unit) const;
  std::string_view unit_file_preset(const Unit& unit) const;
  // The scope's processes are left to it: nobody else waits for their end.
  base::Status abandon_scope(std::string_view name);
  // Users that live as long as services with DynamicUser= do: number and name, sorted.
  std::vector<std::pair<uint32_t, std::string>> dynamic_users() const;
  // Whether it is there as long as the manager is: the root slice and its like.
  static bool is_perpetual(const Unit& unit);
  // The units in a slice; none for anything else.
  std::vector<std::string> units_in_slice(const Unit& unit) const;
  // The innermost unit that has this cgroup; null: none.
  const Unit* find_unit_by_cgroup(std::string_view path) const;
  // The unit's processes; of a slice, all that are in it.
  std::vector<ListedProcess> processes(const Unit& unit) const;
  // Bytes and number of tasks as the cgroup counts them; nothing without one.
  std::optional<uint64_t> memory_current(const Unit& unit) const;
  std::optional<uint64_t> tasks_current(const Unit& unit) const;
  // The unit's cgroup, slices included: where it is ("/system.slice"), its number, one of the
  // kernel's files in it; empty and 0 where there is none.
  std::string cgroup_path(const Unit& unit) const;
  uint64_t cgroup_id(const Unit& unit) const;
  std::string cgroup_file(const Unit& unit, const char* name) const;
  // Nanoseconds of CPU that it used, or that its last run had; nothing before the first.
  std::optional<uint64_t> cpu_usage(const Unit& unit) const;
  // Bytes until the nearest limit; nothing where there is none.
  std::optional<uint64_t> memory_available(const Unit& unit) const;
  // What its files say that has no effect: not implemented, or without its controller.
  std::vector<std::string> ignored_directives(const Unit& unit) const;
  bool can_freeze(const Unit& unit) const;
  // Whoever asks for units gets those of what is mounted too; see docs/units.md.
  void list_mounts();
  // What is mounted where the unit's mount is; null: nothing.
  const MountLine* mount_line(const Unit& unit) const;
  std::string_view freezer_state(const Unit& unit) const;  // as systemd names them

  // --- Requests ---
  // `type` and `mode` in the words of the bus: "start", "stop", "restart", "try-restart", "reload",
  // "reload-or-restart", "reload-or-try-restart"; "replace", "fail", "isolate",
  // "ignore-dependencies", "ignore-requirements", "flush", "replace-irreversibly". Returns the id
  // of the anchor job. The error has systemd's bus name and text.
  base::Result<uint32_t> enqueue_job(std::string_view unit, std::string_view type,
                                     std::string_view mode);
  // The same; `others` gets the ids of the jobs that came with it.
  base::Result<uint32_t> enqueue_job(std::string_view unit, std::string_view type,
                                     std::string_view mode, std::vector<uint32_t>& others);
  // Restarts the units that are marked for it, if they run; the errors are only logged.
  std::vector<uint32_t> enqueue_marked_jobs();
  // "needs-reload" and "needs-restart": the whole list, or each with '+' or '-' in front.
  base::Status set_markers(std::string_view unit, const std::vector<std::string>& words);
  // The jobs that wait for this one, or that this one waits for, by id.
  enum class JobSide : uint8_t { kAfter, kBefore };
  std::vector<JobView> job_neighbours(uint32_t id, JobSide side) const;
  bool can_reload(const Unit& unit) const;
  base::Status cancel_job(uint32_t id);
  void clear_jobs();
  std::vector<JobView> jobs() const;
  std::optional<JobView> find_job(uint32_t id) const;
  // A unit that somebody refers to is not forgotten. Each add_ref() has its drop_ref().
  base::Status add_ref(std::string_view unit);
  void drop_ref(std::string_view unit);
  base::Status attach_process(std::string_view unit, std::string_view subgroup, pid_t pid);
  // `done` is called once, when all its processes have stopped (or go on), or with the error.
  void freeze_unit(std::string_view unit, bool frozen, FreezingDone done);
  base::Status kill_unit(std::string_view unit, KillWhom whom, int signal);
  // `what`: "runtime", "state", "cache", "logs", "configuration", "all".
  base::Status clean_unit(std::string_view unit, const std::vector<std::string>& what);
  base::Status reset_failed(std::string_view unit);
  void reset_failed_all();
  // Links or unit files were made or removed: what is loaded next sees them without a reload.
  void note_unit_files_changed();
  // Makes units that are of no file but what the caller says, kept under run/ until they are over,
  // and starts the first. Returns the id of its job.
  base::Result<uint32_t> start_transient(const std::vector<TransientUnit>& wanted,
                                         std::string_view mode);
  // What may change while the unit runs, kept as drop-ins: for this run or for good.
  base::Status set_properties(std::string_view unit, bool runtime,
                              const std::vector<PropertyText>& settings);
  // daemon-reload: reads all files again; running services keep running.
  // Where there are generators it is done when they are, and reload() returns before.
  base::Status reload();
  void reload_then(std::function<void()> done);
  base::Status reexecute();
  base::Status set_environment(const std::vector<std::string>& assignments);
  base::Status unset_environment(const std::vector<std::string>& names);
  // Stops everything in order, then ends the manager with this exit code.
  void exit(int code);
  // "poweroff", "reboot", "halt", "kexec": as exit(), and then that, where we are PID 1.
  void shutdown(std::string_view how);
  // The same, and "exit", without stopping units: processes are told to end, and that is all.
  void shutdown_now(std::string_view how);
  // What exit() and an "exit" of shutdown_now() end with, unless they are told otherwise.
  base::Status set_exit_code(uint8_t code);

  // --- The manager's own properties ---
  std::string_view version() const;  // "252 (flotilla 0.1.0)"
  std::string_view features() const;
  const ShownConf& shown_conf() const;
  std::string_view system_state() const;  // "starting", "running", "degraded", "stopping"
  std::vector<std::string> environment() const;
  std::vector<std::string> unit_path() const;
  std::string_view log_level() const;
  base::Status set_log_level(std::string_view level);
  // Where the manager's own lines go: there is one place, "journal".
  std::string_view log_target() const;
  base::Status set_log_target(std::string_view target);
  bool service_watchdogs() const;
  void set_service_watchdogs(bool enabled);
  std::string default_target() const;  // the unit that default.target is
  Timestamps kernel_time() const;      // when the machine began; unset in a container
  Timestamps userspace_time() const;   // when the manager began
  Timestamps finish_time() const;      // when boot was done
  Timestamps units_load_start_time() const;
  Timestamps units_load_finish_time() const;
  uint32_t n_names() const;
  uint32_t n_jobs() const;
  uint32_t n_installed_jobs() const;  // since the start
  uint32_t n_failed_jobs() const;
  uint32_t n_failed_units() const;
  bool show_status() const;
  // What is unusual about the machine, each a word, with ":" between.
  std::string tainted() const;
  int oom_score_adjust() const;  // of the manager
  // "yes", "no", "auto", ...; empty takes the wish back.
  base::Status set_show_status(std::string_view wish);
  const Timestamps& generators_start_time() const;
  const Timestamps& generators_finish_time() const;
  const Timestamps& units_reload_time() const;  // unset before the first reload
  std::string_view virtualization() const;      // "kvm", "container-other", ...; empty: none
  std::string_view architecture() const;        // "x86-64"
  // LimitNOFILE= of processes whose unit says nothing; unset: as the manager's own.
  // What the bus says of a service's BusName=.
  void set_bus_name_owned(std::string_view unit, bool is_owned);
  const std::optional<rlimit>& inherited_descriptors() const;
  // What a service has whose file says nothing.
  UnitSettings default_service() const;
  bool is_user_manager() const;
  std::string_view process_tracking() const;  // "cgroup" or "best-effort"
  std::string control_group() const;
  int exit_code() const;

  // --- The program's side (manager_run.cc) ---
  class Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::init
