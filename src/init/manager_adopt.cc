// Taking over: a manager that finds the state of the one before it goes on from there. The one
// before may have died between any two of its instructions; what it had begun and not written down
// is found out or done again here.
#include <algorithm>
#include <csignal>

#include "init/manager_impl.h"
#include "init/manager_state_flags.h"

namespace flotilla::init {

bool Manager::Impl::adopt() {
  if (!edges.state.is_inherited()) return false;
  const ManagerRecord manager = edges.state.manager();
  if (manager.userspace.monotonic_usec == 0) return false;
  userspace = from_record(manager.userspace);
  boot_finish = from_record(manager.finish);
  n_installed_jobs = manager.n_installed_jobs;
  n_failed_jobs = manager.n_failed_jobs;
  booting_ = (manager.flags & kBooting) != 0;
  exit_code = manager.exit_code;
  if ((manager.flags & kNoServiceWatchdogs) != 0) options.service_watchdogs = false;
  take_log_settings(static_cast<int>(manager.flags >> kLogLevelShift & 15) - 1,
                    static_cast<int>(manager.flags >> kLogTargetShift & 3) - 1);
  jobs.set_next_id(std::max<uint32_t>(manager.next_job_id, 1));
  adopt_environment();
  units_load_start = now();
  const size_t count = adopt_units(manager.next_job_id);
  units_load_finish = now();
  remove_forgotten_transients();
  if ((manager.flags & kEnding) != 0) {
    const auto action = static_cast<FinalAction>(manager.flags >> kEndShift & 0xff);
    if ((manager.flags & kEndForced) != 0) {
      end_now(action);
    } else {
      final_ = Final{action, exit_code};
    }
  }
  log(6, fmt::format("Took over {} units from the manager before.", count));
  save_manager();
  // The generators died with it, and what they wrote is not whole.
  if ((manager.flags & kGeneratorsRun) != 0) booting_ ? boot() : begin_reload(nullptr);
  queue_all_garbage();
  edges.program.request_turn();
  return true;
}

size_t Manager::Impl::adopt_units(JobId next_job) {
  std::vector<StateFile::SlotId> slots = edges.state.used_slots();
  std::sort(slots.begin(), slots.end(), [&](StateFile::SlotId a, StateFile::SlotId b) {
    return edges.state.record(a).job_id < edges.state.record(b).job_id;
  });
  size_t count = 0;
  for (const StateFile::SlotId slot : slots) count += adopt_unit(slot, next_job) ? 1 : 0;
  // All slots are known before anything is done about one: what follows may look at others.
  for (UnitId id = 0; id < units.size(); ++id) {
    Unit* unit = unit_at(id);
    if (unit == nullptr || !unit->has_state_slot()) continue;
    if (unit->service) resume_service(*unit, unit->state_slot);
    if (is_mount(*unit) && unit->service) {
      feed(*unit, ServiceEvent::of(is_mounted(*unit) ? ServiceEvent::Kind::kMounted
                                                     : ServiceEvent::Kind::kUnmounted));
    }
    queue_job(id);
    // What was about to be settled is not written down.
    settle_queue_.push_back(id);
  }
  return count;
}

// What it was in the middle of.
void Manager::Impl::resume_service(Unit& unit, StateFile::SlotId slot) {
  ServiceRuntime& runtime = *unit.service;
  if (runtime.pending_spawn.is_set()) resume_spawn(unit, slot);
  if (runtime.state.waits_for_pid_file) feed(unit, watch_pid_file(unit));
  // It was about to ask for its restart.
  if (will_restart(runtime.state) && unit.job == 0 && runtime.state.timeout_at.is_never()) {
    wishes_.push_back({{unit.graph_id, JobType::kRestart, JobMode::kReplace}, unit.graph_id});
  }
}

// After the exits that the keeper has queued: nobody tells of processes that ended while there was
// no manager and that are not our children.
void Manager::Impl::look_for_gone_processes() {
  for (const auto& unit : units) {
    if (!unit || !unit->service || !unit->service->group) continue;
    const ServiceState& state = unit->service->state;
    const bool may_be_over =
        state.control_pid == 0 && (state.main_pid == 0 || state.main_pid_alien);
    if (!may_be_over || unit->service->group->is_populated()) continue;
    feed(*unit, ServiceEvent::of(ServiceEvent::Kind::kProcessesGone));
  }
}

bool Manager::Impl::adopt_unit(StateFile::SlotId slot, JobId next_job) {
  const UnitRecord record = edges.state.record(slot);
  const std::string name(record.name_view());
  const auto parsed = unit::UnitName::parse(name);
  Unit* unit = parsed ? load_name(*parsed) : nullptr;
  if (unit == nullptr || unit->id != name || unit->has_state_slot()) {
    log(4, fmt::format("{}: its state cannot be taken over.", name));
    edges.state.free(slot);
    return false;
  }
  unit->state_slot = slot;
  unit->invocation = record.invocation_id;
  unit->times.set(UnitMoment::kStateChange, from_record(record.state_change));
  unit->times.set(UnitMoment::kInactiveExit, from_record(record.inactive_exit));
  unit->times.set(UnitMoment::kActiveEnter, from_record(record.active_enter));
  unit->times.set(UnitMoment::kActiveExit, from_record(record.active_exit));
  unit->times.set(UnitMoment::kInactiveEnter, from_record(record.inactive_enter));
  unit->condition_result = (record.flags & kConditionResult) != 0;
  unit->assert_result = (record.flags & kAssertResult) != 0;
  unit->markers = static_cast<uint8_t>(record.flags >> kMarkersShift & kMarkersMask);
  const bool flag = (record.flags & kSimpleActive) != 0;
  if (is_mount(*unit)) {
    adopt_mount(*unit, record);
  } else if (unit->service) {
    unit->service->is_abandoned = flag;
  } else {
    unit->simple_active = unit->simple_active || flag;
  }
  unit->is_frozen = edges.tracker.read_file(group_path(*unit), "cgroup.freeze") == "1\n";
  if (record.start_limit_count != 0) {
    unit->start_limit = {{Micros(record.start_limit_begin_usec)}, record.start_limit_count};
  }
  if (unit->service) restore_service(*unit, record);
  active_states[unit->graph_id] = unit->active();
  const bool is_pending = (record.flags & kChangePending) != 0;
  if (is_pending) {
    const auto before = static_cast<ActiveState>(
        std::min<uint32_t>(record.flags >> kChangeShift & 7, kLastActiveState));
    Change change{unit->graph_id, before, unit->active(), (record.flags & kChangeRestarts) != 0};
    change.is_judged = (record.flags & kChangeJudged) != 0;
    change.unexpected = (record.flags & kChangeUnexpected) != 0;
    changes_.push_back(change);
  }
  // A transaction is whole once the manager's record knows its numbers; of one that is not, nobody
  // was told.
  if (record.job_id != 0 && record.job_id < next_job) adopt_job(*unit, record);
  // A job that was left out must not come back with the next manager, when its number is another's.
  save(*unit);
  return true;
}

void Manager::Impl::adopt_job(Unit& unit, const UnitRecord& record) {
  if (record.job_type > static_cast<uint8_t>(JobType::kRestart)) return;
  if (jobs.find(record.job_id) != nullptr) return;
  Job job;
  job.id = record.job_id;
  job.unit = unit.graph_id;
  job.type = static_cast<JobType>(record.job_type);
  job.irreversible = (record.flags & kJobIrreversible) != 0;
  job.ignore_order = (record.flags & kJobIgnoresOrder) != 0;
  // A job that has reached its unit goes on; any other is done again from its beginning, which is
  // harmless where it was done already.
  const ActiveState state = unit.active();
  const bool is_under_way = state == ActiveState::kActivating ? job.type == JobType::kStart
                            : state == ActiveState::kDeactivating
                                ? job.type == JobType::kStop || job.type == JobType::kRestart
                                : state == ActiveState::kReloading && job.type == JobType::kReload;
  // Its first process, or what became of it: the state follows.
  const bool has_begun = (record.flags & (kSpawnPending | kChangePending)) != 0;
  const bool was_running = record.job_state == static_cast<uint8_t>(JobState::kRunning);
  job.state = was_running && (is_under_way || has_begun) ? JobState::kRunning : JobState::kWaiting;
  jobs.restore(job);
  unit.job = job.id;
  if (record.job_deadline_usec == 0) return;
  auto& timer = job_timers_[job.id];
  timer = std::make_unique<JobTimer>(*this, job.id);
  edges.timers.arm(timer->timer, {Micros(record.job_deadline_usec)});
}

void Manager::Impl::restore_service(Unit& unit, const UnitRecord& record) {
  ServiceRuntime& runtime = *unit.service;
  ServiceState& state = runtime.state;
  const auto has = [&](uint32_t flag) { return (record.flags & flag) != 0; };
  if (record.sub_state <= static_cast<uint8_t>(ServiceSubState::kLast)) {
    state.sub = static_cast<ServiceSubState>(record.sub_state);
  }
  if (record.result <= static_cast<uint8_t>(ServiceResult::kExecCondition)) {
    state.result = static_cast<ServiceResult>(record.result);
  }
  state.main_pid = record.main_process.pid;
  state.control_pid = record.control_process.pid;
  state.main_pid_known = has(kMainPidKnown);
  state.main_pid_alien = has(kMainPidAlien);
  state.main_exit = {record.main_run.code, record.main_run.status};
  state.has_main_command = has(kHasMainCommand);
  state.main_index = record.main_index;
  state.has_control_command = has(kHasControlCommand) &&
                              record.control_command < static_cast<uint8_t>(ServiceCommand::kCount);
  if (state.has_control_command) {
    state.control_command = static_cast<ServiceCommand>(record.control_command);
  }
  state.control_index = record.control_index;
  state.notify = static_cast<NotifyState>((record.flags >> kNotifyShift) & 3);
  state.bus_name_owned = has(kBusNameOwned);
  state.waits_for_pid_file = has(kWaitsForPidFile);
  state.stopped_by_job = has(kStoppedByJob);
  state.condition_failed = has(kConditionFailed);
  state.flush_n_restarts = has(kFlushRestarts);
  state.n_restarts = record.n_restarts;
  if (record.deadline_usec != 0) state.timeout_at = {Micros(record.deadline_usec)};
  state.watchdog_fed = {Micros(record.watchdog_fed_usec)};
  state.watchdog = Micros(record.watchdog_usec);
  state.active_since = {Micros(record.recent_starts_usec[0])};
  if (record.recent_starts_usec[1] != 0) {
    // While the manager was away nobody read the pings: the service gets a whole span from now.
    state.watchdog_at = edges.timers.clock().monotonic() + state.watchdog;
  }
  runtime.main_run = from_record(record.main_run);
  if (record.control_run.pid != 0)
    runtime.extras.edit().control_run = from_record(record.control_run);
  if (record.status_errno != 0) runtime.extras.edit().status_errno = record.status_errno;
  runtime.uid = record.uid;
  runtime.gid = record.gid;
  if (edges.side != nullptr) {
    std::string text(edges.side->find(unit.id, SideKind::kStatusText));
    if (!text.empty()) runtime.extras.edit().status_text = std::move(text);
  }
  if (has(kStreamsOpen)) {
    // Finds the pipe that the keeper kept.
    ExecSpec nowhere;
    static_cast<void>(
        attach_streams(unit, plan_streams(*unit.settings.exec, true, false), nowhere));
  }

  const bool lives = state.sub != ServiceSubState::kDead && state.sub != ServiceSubState::kFailed &&
                     state.sub != ServiceSubState::kAutoRestart;
  if (edges.links != nullptr) unit.links = lives ? kAllLinks : kUnknownLinks;
  if (lives || state.main_pid > 0 || state.control_pid > 0) {
    ensure_group(unit);
    if (runtime.group) {
      unit.has_cgroup = !runtime.group->cgroup_path().empty();
      static_cast<void>(runtime.group->watch_until_empty());
      runtime.group->watch_oom(Callback<void()>::to<&ServiceRuntime::on_oom>(runtime));
    }
  }
  // It may have died before it removed the cgroup of what it had written down as over.
  if (!lives && !runtime.group)
    static_cast<void>(edges.tracker.make_group(group_path(unit), {})->release());
  restore_fd_store(unit);
  adopt_sandbox(unit, lives || state.main_pid > 0 || state.control_pid > 0 || has(kSpawnPending));
  const auto take_back = [&](pid_t pid, ChildWatch& watch) {
    edges.processes.watch(watch, pid);
    if (runtime.group) runtime.group->add(pid);
  };
  if (state.main_pid > 0) take_back(state.main_pid, runtime.main_watch);
  if (state.control_pid > 0) take_back(state.control_pid, runtime.watch_control());
  if (state.main_pid > 0 || state.control_pid > 0) {
    runtime.arm_verify();
  }
  if (has(kSpawnPending) && record.control_command < static_cast<uint8_t>(ServiceCommand::kCount)) {
    const bool is_control = has(kSpawnIsControl);
    const ServiceRuntime::PendingSpawn action{
        static_cast<ServiceCommand>(record.control_command), is_control,
        is_control ? record.control_index : record.main_index};
    runtime.pending_spawn = action;
    state.awaits = ServiceState::Awaits::kSpawn;
    state.spawns_main = !action.is_control;
    if (action.is_control) {
      state.has_control_command = true;
      state.control_command = action.command;
    }
  }
  restarting_[unit.graph_id] = will_restart(state);
  arm_service_timers(runtime);
}

// The manager before died between writing down that it spawns and writing down the pid: either the
// kernel has put the pid beside the record, or there is no process and the spawn is done again.
void Manager::Impl::resume_spawn(Unit& unit, StateFile::SlotId slot) {
  ServiceRuntime& runtime = *unit.service;
  ServiceAction action;
  action.kind = ServiceAction::Kind::kSpawn;
  action.is_control = runtime.pending_spawn.is_control;
  action.command = runtime.pending_spawn.command;
  action.index = runtime.pending_spawn.index;
  const auto kind =
      action.is_control ? StateFile::SpawnKind::kControl : StateFile::SpawnKind::kMain;
  const pid_t pid = *edges.state.spawn_pid(slot, kind);
  runtime.pending_spawn = {};
  if (pid <= 0) return feed(unit, spawn(unit, action));
  CommandRun run;
  run.start = now();
  run.pid = pid;
  (action.is_control ? runtime.extras.edit().control_run : runtime.main_run) = run;
  ensure_group(unit);
  if (runtime.group) runtime.group->add(pid);
  edges.processes.watch(action.is_control ? runtime.watch_control() : runtime.main_watch, pid);
  runtime.arm_verify();
  feed(unit, ServiceEvent::spawned(pid, true));
}

}  // namespace flotilla::init
