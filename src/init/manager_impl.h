// The inside of the Manager, shared by its files: manager_units.cc (loading, reload),
// manager_garbage.cc, manager_transient.cc (units and settings that come over the bus),
// manager_jobs.cc (requests and the job queue), manager_services.cc (the
// service machine's actions), manager_spawn.cc (processes and signals), manager_notify.cc,
// manager_state.cc (the state file), manager_adopt.cc (taking over), manager_lifecycle.cc (boot and
// shutdown), manager.cc (the public face).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "init/cgroup_plan.h"
#include "init/conditions.h"
#include "init/generators.h"
#include "init/job.h"
#include "init/job_finish.h"
#include "init/manager.h"
#include "init/manager_conf.h"
#include "init/manager_options.h"
#include "init/manager_service.h"
#include "init/notify.h"
#include "init/transaction.h"
#include "init/unit_graph.h"
#include "init/unit_loader.h"
#include "init/user_db.h"

namespace flotilla::init {

// What the keeper's names for the namespaces of sandboxed units begin with.
inline constexpr std::string_view kPlacesPrefix = "places";

class Manager::Impl {
 public:
  Impl(ManagerOptions manager_options, ManagerEdges manager_edges);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // --- The program's side ---
  // Takes over what the state file holds of an earlier manager. `exits` are those the keeper
  // queued; deliver them after this. Returns whether there was anything.
  bool adopt();
  // After adopt(), and after the exits were delivered.
  void look_for_gone_processes();
  // Queues the start of the default unit; not to be called after an adoption.
  void boot();
  // At the end of each turn of the loop in which something happened.
  void run_turn();
  void on_notify(const NotifySender& sender, const NotifyMessage& message);
  // Stops everything, then finishes the program.
  void begin_shutdown(FinalAction action, int exit_code);
  // Tells every process to end, without jobs and without stop commands, then finishes the program.
  void end_now(FinalAction action);
  bool is_stopping() const noexcept { return final_.has_value(); }
  // Whether an end with an exit code means something to whoever started us.
  bool may_exit() { return !options.is_pid1 || world().is_container; }
  void log(int priority, std::string_view text) { edges.logs.message({}, priority, text); }
  void log_of(const Unit& unit, int priority, std::string_view text);

  // --- Units (manager_units.cc) ---
  Unit* find(std::string_view name) const noexcept;
  Unit* unit_at(UnitId id) const noexcept { return id < units.size() ? units[id].get() : nullptr; }
  base::Result<Unit*> load(std::string_view name);
  Unit* load_name(const unit::UnitName& name);
  base::Status reload_all();
  void reset_start_limits() noexcept;
  // Generators first, if there are any; `done` may be null.
  void begin_reload(std::function<void()> done);
  base::Result<uint32_t> start_transient(const std::vector<TransientUnit>& wanted,
                                         std::string_view mode);
  base::Status set_properties(Unit& unit, bool runtime, const std::vector<PropertyText>& settings);
  std::string transient_directory() const;
  void remove_transient_files(const std::string& name);
  void remove_forgotten_transients();
  void collect_garbage();
  // Of tables that were larger while many jobs ran; at rest.
  void give_back_room();
  // Something that kept a unit is gone.
  void unit_may_go() {
    queue_all_garbage();
    edges.program.request_turn();
  }
  ActiveState active(UnitId id) const noexcept {
    return id < active_states.size() ? active_states[id] : ActiveState::kInactive;
  }
  Unit* find_by_pid(pid_t pid) const;
  std::vector<ListedProcess> processes_of(const Unit& unit) const;
  Unit* find_by_cgroup(std::string_view text) const;
  std::string group_path(const Unit& unit) const;

  // --- Cgroups (manager_cgroups.cc) ---
  // Before a spawn: the unit's cgroup and its slices get what their settings say, once.
  void configure_group(Unit& unit);
  // The settings of a unit that may be running changed: its files follow.
  void apply_cgroup_settings(Unit& unit);
  // Boot is done: what Startup*= says is over.
  void end_startup_phase();
  // What it used is asked for as long as there is a cgroup to ask.
  void note_cpu_usage(Unit& unit);
  bool can_freeze(const Unit& unit) const;
  base::Status check_freezing(const Unit& unit, bool frozen) const;
  void freeze(Unit& unit, bool frozen, FreezingDone done);
  bool is_freezing(const Unit& unit) const { return freezing_.count(unit.graph_id) != 0; }
  void finish_freezing(UnitId unit, const base::Status& status);
  // A frozen process would not hear what it is told.
  void thaw(Unit& unit);

  // --- Mounts (manager_mounts.cc) ---
  static bool is_mount(const Unit& unit) noexcept {
    return unit.settings.name.type() == unit::UnitType::kMount;
  }
  // Every mount is a unit from now on, whether or not it has a file. Costs nothing when done.
  void list_mounts();
  // Reads again what is mounted, and tells the units.
  void refresh_mounts();
  // As the kernel has it; null: it is not mounted, or nobody has looked.
  const MountLine* mount_line(const Unit& unit) const;

  // --- Jobs (manager_jobs.cc) ---
  TransactionView view() const noexcept { return {graph, jobs, ActiveStates(active_states)}; }
  // Both return the id of the anchor; `others`, if given, gets those of the jobs that came with it.
  base::Result<uint32_t> request(std::string_view unit, std::string_view type,
                                 std::string_view mode, std::vector<JobId>* others = nullptr);
  base::Result<uint32_t> enqueue(const JobRequest& request, std::vector<JobId>* others = nullptr);
  void finish(JobId id, JobResult result, Recursion recursion = Recursion::kDependents);
  void look_at_job(UnitId unit);
  void clear_all_jobs();

  // --- State changes ---
  void change_state(Unit& unit, ActiveState now, bool will_auto_restart);
  void note_changed(Unit& unit);

  // --- Services ---
  void feed(Unit& unit, const ServiceEvent& event);
  void forget_left_overs(Unit& unit);
  base::Status kill(Unit& unit, KillWhom whom, int signal);
  base::Status reset_failed(Unit& unit);
  // Removes the unit's directories of these kinds, in a child (manager_clean.cc).
  base::Status clean(Unit& unit, const std::vector<std::string>& what);
  void ensure_group(Unit& unit);
  void record_exit(Unit& unit, bool is_main, const ChildExit& exit);

  // --- Stored descriptors (manager_fd_store.cc) ---
  // Whether the keeper holds it as one of these (or as a namespace of a sandboxed unit), and what
  // it held: before adopt().
  static bool is_kept_for_fd_store(std::string_view name) noexcept;
  void take_back_stored(std::string_view kept, base::Fd fd);
  // After adopt(): what belongs to no unit any more.
  void drop_unclaimed_stored();
  void on_stored_hangup(Unit& unit, uint64_t number);
  void release_fd_store(Unit& unit);

  // --- Processes on their way to their programs (manager_spawn.cc) ---
  // Waits for those that were begun first until so many are left, and says what went wrong.
  void settle_spawns(size_t left);
  void expect_execution(const Unit& unit, pid_t pid);
  void on_executed();

  // --- Idle services (manager_spawn.cc) ---
  // Lets go those of Type=idle that wait for the last job.
  void release_idle();

  // --- Sandboxes (manager_sandbox.cc) ---
  bool open_sandbox(Unit& unit, pid_t running);
  void adopt_sandbox(Unit& unit, bool lives);
  void close_sandbox(Unit& unit);
  void read_report(Unit& unit, bool is_main);

  // --- State file (manager_state.cc) ---
  void save(Unit& unit) noexcept;
  void forget_slot(Unit& unit) noexcept;
  void save_manager() noexcept;

  Timestamps now() const noexcept;
  const ConditionWorld& world();

  ManagerOptions options;
  ManagerEdges edges;
  ShownConf shown_conf;
  UnitLoader loader;
  UserDb users;
  UnitGraph graph;
  JobTable jobs;
  // What the manager began with, and what clients have set on top of it, both sorted.
  std::vector<std::string> base_environment, client_environment;
  void take_client_environment(std::vector<std::string> assignments);
  void adopt_environment();
  std::vector<std::unique_ptr<Unit>> units;  // by UnitId; null: a stub or free
  std::vector<ActiveState> active_states;    // by UnitId
  ManagerObserver* observer = nullptr;
  struct UnitFileFacts {
    std::string state, preset;
  };
  std::map<std::string, UnitFileFacts, std::less<>> unit_files;  // by unit, as asked for
  Timestamps userspace, boot_finish, units_load_start, units_load_finish;
  Timestamps generators_begin, generators_end, units_reload;
  std::optional<bool> show_status;  // as a client wished it
  uint32_t n_installed_jobs = 0, n_failed_jobs = 0;
  int exit_code = 0;

  // What clients have set, by number; -1: nobody has. See manager_log_control.cc.
  void take_log_settings(int level, int target);
  int client_log_level = -1, client_log_target = -1;
  std::optional<int> configured_log_level;  // once a client has been asked for another

 private:
  struct Change {
    UnitId unit;
    ActiveState before, now;
    bool will_auto_restart;
    bool is_judged = false;   // the job has heard of it; an earlier manager did that
    bool unexpected = false;  // what was found then
  };
  struct Wish {  // a request that an action of a service asked for
    JobRequest request;
    UnitId tell_restart_failed = kNoUnit;
  };
  struct Events {  // for the observer, until the end of the turn
    std::vector<std::string> new_units, removed_units;
    std::vector<std::pair<uint32_t, std::string>> new_jobs;
    std::vector<uint32_t> changed_jobs;
    struct Removed {
      uint32_t id;
      std::string unit;
      JobResult result;
    };
    std::vector<Removed> removed_jobs;
    std::set<std::string> changed_units;
    int reloads = 0;
  };
  struct JobTimer {
    JobTimer(Impl& owner, JobId of_job)
        : impl(owner), job(of_job), timer(Callback<void()>::to<&JobTimer::on_expiry>(*this)) {}
    void on_expiry();
    Impl& impl;
    JobId job;
    Timer timer;
  };

  // units
  Unit* take_settings(UnitSettings settings);
  void be_always_there(Unit& unit);
  void order_targets(const std::vector<UnitId>& targets);
  void log_warnings(const UnitSettings& settings);
  base::Result<Unit*> make_transient(const TransientUnit& wanted);
  // manager_mounts.cc
  struct Mounts;
  void know_mounts();
  bool is_mounted(const Unit& unit) const;
  void take_mount(Unit& unit);
  void ensure_mount_runtime(Unit& unit);
  void adopt_mount(Unit& unit, const UnitRecord& record);
  bool prepare_mount(const Unit& unit);
  void on_mounted(const std::string& where);
  void on_unmounted(const std::string& where);
  void link_mounts(Unit& unit);
  void link_to_mount(UnitId unit, const Unit& mount);
  std::vector<unit::UnitName> mounts_to_load(const Unit& unit) const;
  // manager_garbage.cc
  bool is_garbage_root(const Unit& unit) const;
  void queue_garbage(UnitId unit);
  void queue_all_garbage();
  std::vector<UnitId> find_garbage_with(UnitId unit);
  void forget_unit(UnitId id);

  // jobs
  void queue_job(UnitId unit);
  void queue_neighbours(UnitId unit);
  bool runs_before(UnitId a, UnitId b) const;
  void leave_run_queue(UnitId unit);
  void run_job(const Job& job);
  void carry_out(const Job& job, Unit& unit);
  void run_start(const Job& job, Unit& unit);
  void start_service(const Job& job, Unit& unit);
  void start_scope(const Job& job, Unit& unit);
  bool check_conditions(const Job& job, Unit& unit);
  bool check_bindings(const Job& job, const Unit& unit);
  void finish_one(const FinishedJob& finished);
  void log_job_begin(const Unit& unit);
  void log_job_end(const Job& job, Unit& unit, JobResult result);
  void arm_job_timer(JobId id, UnitId unit, bool running);

  // the turn
  void boot_units();
  void end_reload();
  void read_conf(bool is_start);
  void take_generated_environment(const std::vector<std::string>& assignments);
  bool run_one_change();
  bool run_one_wish();
  bool run_one_job();
  bool settle_one();
  void flush_events();
  // manager_emergency.cc
  enum class ActNoise : uint8_t { kQuiet, kWarning };
  void act(EmergencyAction action, std::optional<uint8_t> exit_status, ActNoise noise,
           std::string_view reason);
  void act_on_change(const Unit& unit, ActiveState before, ActiveState now);
  void signal_all(int signal);
  void on_last_words();
  bool any_process_left() const;
  void finish_all();

  void check_boot_finished();
  void check_shutdown();

  // services
  std::optional<ServiceEvent> carry_out(Unit& unit, const ServiceAction& action);
  ServiceFacts facts_for(const Unit& unit, ServiceEvent::Kind event);
  ServiceEvent spawn(Unit& unit, const ServiceAction& action);
  // The one service whose OnFailure= or OnSuccess= this is; null where there is none or several.
  const Unit* find_monitored(const Unit& unit) const;
  bool prepare_exec(Unit& unit, const ServiceAction& action, PreparedExec& exec,
                    ServiceEvent& outcome);
  bool attach_streams(Unit& unit, const StreamPlan& plan, ExecSpec& spec);
  int idle_pipe();
  void tell_spawn_failure(const std::string& unit, const ExecSpec& spec, const SpawnResult& result);
  static SandboxRuntime& sandbox_of(ServiceRuntime& runtime);
  void keep_places(SandboxPlaces& places);
  void save_places(const Unit& unit, const SandboxPlaces* places);
  void release_places(Unit& unit);
  std::shared_ptr<SandboxPlaces> find_kept_places(const PlacesRecord& record);
  bool is_helped(const Unit& unit, const PreparedExec& exec) const;
  std::unique_ptr<HelperLaunch> make_launch(Unit& unit, const ServiceAction& action,
                                            PreparedExec& exec);
  void expect_report(Unit& unit, const ServiceAction& action, HelperLaunch& launch,
                     std::string program);
  ServiceEvent send_kill(Unit& unit, const KillPlan& plan);
  void begin_run(Unit& unit);
  void write_links(Unit& unit) const;
  void remove_links(Unit& unit) const;
  void release_group(Unit& unit);
  void release_group_later(Unit& unit);
  void release_groups();
  UnitId find_next(UnitId running) const;
  void make_group_ahead();
  void release_resources(Unit& unit, bool restarts);
  void release_surroundings(const Unit& unit, bool restarts);
  void watch_main(Unit& unit, pid_t pid);
  void arm_service_timers(ServiceRuntime& runtime);
  void read_pid_file(const Unit& unit, ServiceFacts& facts) const;
  ServiceEvent watch_pid_file(Unit& unit);

  // notifications (manager_notify.cc)
  pid_t sender_behind_us() const;
  void take_main_pid(Unit& unit, const NotifySender& sender, const NotifyMessage& message);
  void take_state(Unit& unit, const NotifyMessage& message);
  void take_status(Unit& unit, const NotifyMessage& message);

  // stored descriptors (manager_fd_store.cc)
  void take_descriptors(Unit& unit, const NotifyMessage& message);
  void store_one(Unit& unit, base::Fd fd, std::string_view name, bool is_polled, uint64_t number);
  void forget_stored(const StoredFd& stored);
  void remove_stored(Unit& unit, std::string_view name);
  void save_fd_store(Unit& unit);
  void restore_fd_store(Unit& unit);
  std::vector<int> passed_descriptors(const Unit& unit, std::string& names) const;

  // state file
  uint32_t change_flags_of(UnitId unit) const noexcept;
  size_t adopt_units(JobId next_job);
  bool adopt_unit(StateFile::SlotId slot, JobId next_job);
  void adopt_job(Unit& unit, const UnitRecord& record);
  void resume_service(Unit& unit, StateFile::SlotId slot);
  void restore_service(Unit& unit, const UnitRecord& record);
  void resume_spawn(Unit& unit, StateFile::SlotId slot);

  void configure_path(const Unit& unit, CgroupWrites writes);

  std::shared_ptr<Mounts> mounts_;                             // null: nobody has asked yet
  std::unordered_map<UnitId, std::vector<pid_t>> scope_pids_;  // of scopes about to start
  std::unordered_map<UnitId, std::pair<int, base::MonotonicTime>> settle_limits_;
  std::unordered_map<JobId, std::unique_ptr<JobTimer>> job_timers_;
  std::deque<Change> changes_;
  std::vector<Change> wishing_changes_;  // where wishes_ come from, until all of these are jobs
  std::deque<Wish> wishes_;
  std::vector<UnitId> run_queue_;  // a heap by runs_before()
  std::vector<bool> queued_;       // by UnitId: in run_queue_
  std::deque<UnitId> settle_queue_;
  std::vector<bool> restarting_;  // by UnitId: an automatic restart is pending
  struct GarbageMark {
    uint32_t pass = 0;
    bool is_queued = false;
  };
  std::vector<UnitId> garbage_queue_;
  std::map<UnitId, FreezingDone> freezing_;  // the kernel has been told, and is not done yet
  std::vector<GarbageMark> garbage_marks_;   // by UnitId
  uint32_t garbage_pass_ = 0;
  bool booting_ = false;
  Generators generators_{options, edges};
  bool waits_for_generators_ = false;               // the boot does
  bool generators_may_run_ = false;                 // until what they write is whole
  std::vector<std::function<void()>> reloading_;    // who waits for the reload under way
  std::vector<std::function<void()>> reload_next_;  // and for the one after it
  bool reload_again_ = false;
  std::set<std::string> configured_slices_;  // whose settings are in their files
  uint64_t last_stored_ = 0;
  uint64_t last_places_ = 0;
  std::map<uint64_t, std::weak_ptr<SandboxPlaces>> adopted_places_;  // by number
  std::map<std::string, base::Fd, std::less<>> inherited_stored_;
  base::Fd idle_read_, idle_write_;  // the pipe that idle services wait at
  Events events_;
  std::unique_ptr<ConditionWorld> world_;
  struct Final {
    FinalAction action;
    int exit_code;
    bool forced = false;  // nothing is started or stopped any more
    bool draining = false;
    bool done = false;
  };
  std::optional<Final> final_;
  struct BegunSpawn {
    UnitId unit = kNoUnit;
    std::shared_ptr<PreparedExec> exec;  // which the process reads
  };
  std::vector<BegunSpawn> begun_;  // on their ways, the first one first
  // Main processes of Type=exec whose programs have begun, the first one first.
  struct Executed {
    UnitId unit;
    pid_t pid;
    base::MonotonicTime believed_at;
  };
  std::vector<Executed> executed_;
  Timer executed_timer_{Callback<void()>::to<&Impl::on_executed>(*this)};
  std::vector<UnitId> going_groups_;  // of units whose group_goes
  UnitId spawned_last_ = kNoUnit;     // in this turn, by its ExecStart=
  UnitId ahead_ = kNoUnit;            // whose cgroup was made before its start
  Timer last_words_{Callback<void()>::to<&Impl::on_last_words>(*this)};
};

}  // namespace flotilla::init
