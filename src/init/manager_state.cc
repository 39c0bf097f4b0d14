// The state file: every transition is written into the unit's slot, and a new manager takes over
// what stands there.
#include <algorithm>
#include <csignal>

#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

using Kind = ServiceEvent::Kind;

// UnitRecord::flags.
enum Flag : uint32_t {
  kMainPidKnown = 1u << 0,
  kMainPidAlien = 1u << 1,
  kHasMainCommand = 1u << 2,
  kHasControlCommand = 1u << 3,
  kBusNameOwned = 1u << 4,
  kWaitsForPidFile = 1u << 5,
  kStoppedByJob = 1u << 6,
  kConditionFailed = 1u << 7,
  kFlushRestarts = 1u << 8,
  kSimpleActive = 1u << 9,
  kConditionResult = 1u << 10,
  kAssertResult = 1u << 11,
  kStreamsOpen = 1u << 12,
  kJobIrreversible = 1u << 13,
  kJobIgnoresOrder = 1u << 14,
  kSpawnPending = 1u << 15,
  kSpawnIsControl = 1u << 16,
  kNotifyShift = 17,  // two bits: NotifyState
  kWatchdogOverridden = 1u << 19,
  // A change of state that nobody has drawn the consequences of yet: it is told again.
  kChangePending = 1u << 20,
  kChangeRestarts = 1u << 21,
  kChangeShift = 22,  // three bits: the ActiveState before
};

constexpr auto kLastActiveState = static_cast<uint32_t>(ActiveState::kMaintenance);

// ManagerRecord::flags.
enum ManagerFlag : uint32_t {
  kBooting = 1u << 0,
  kEnding = 1u << 1,
  kEndForced = 1u << 2,
  kEndShift = 8,  // FinalAction
};

StateTimestamp to_record(const Timestamps& time) {
  return {time.wall.since_epoch.count(), time.monotonic.since_epoch.count()};
}
Timestamps from_record(const StateTimestamp& time) {
  return {{Micros(time.wall_usec)}, {Micros(time.monotonic_usec)}};
}

CommandRecord to_record(const CommandRun& run) {
  return {to_record(run.start), to_record(run.exit), run.pid, run.code, run.status, 0};
}
CommandRun from_record(const CommandRecord& record) {
  return {from_record(record.start), from_record(record.exit), record.pid, record.code,
          record.status};
}

int64_t deadline_of(base::MonotonicTime time) {
  return time.is_never() ? 0 : time.since_epoch.count();
}

uint32_t flags_of(const ServiceRuntime& runtime) {
  const ServiceState& state = runtime.state;
  uint32_t flags = static_cast<uint32_t>(state.notify) << kNotifyShift;
  const auto set = [&](bool condition, uint32_t flag) { flags |= condition ? flag : 0; };
  set(state.main_pid_known, kMainPidKnown);
  set(state.main_pid_alien, kMainPidAlien);
  set(state.has_main_command, kHasMainCommand);
  set(state.has_control_command, kHasControlCommand);
  set(state.bus_name_owned, kBusNameOwned);
  set(state.waits_for_pid_file, kWaitsForPidFile);
  set(state.stopped_by_job, kStoppedByJob);
  set(state.condition_failed, kConditionFailed);
  set(state.flush_n_restarts, kFlushRestarts);
  set(state.watchdog_overridden, kWatchdogOverridden);
  set(runtime.streams_open, kStreamsOpen);
  if (runtime.pending_spawn) {
    set(true, kSpawnPending);
    set(runtime.pending_spawn->is_control, kSpawnIsControl);
  }
  return flags;
}

void fill_service(const ServiceRuntime& runtime, UnitRecord& record) {
  const ServiceState& state = runtime.state;
  record.sub_state = static_cast<uint8_t>(state.sub);
  record.result = static_cast<uint8_t>(state.result);
  record.reload_result = static_cast<uint8_t>(state.reload_result);
  record.control_command =
      state.has_control_command ? static_cast<uint8_t>(state.control_command) : kNoCommand;
  record.main_index = state.main_index;
  record.control_index = state.control_index;
  if (runtime.pending_spawn) {
    const ServiceAction& action = *runtime.pending_spawn;
    record.control_command = static_cast<uint8_t>(action.command);
    (action.is_control ? record.control_index : record.main_index) = action.index;
  }
  record.n_restarts = state.n_restarts;
  record.main_process = {state.main_pid, 0, 0};
  record.control_process = {state.control_pid, 0, 0};
  record.main_run = to_record(runtime.main_run);
  record.control_run = to_record(runtime.control_run);
  // The exit that counts is the machine's: a run may have been closed by a later process.
  record.main_run.code = state.main_exit.code;
  record.main_run.status = state.main_exit.status;
  record.deadline_usec = deadline_of(state.timeout_at);
  record.watchdog_fed_usec = state.watchdog_fed.since_epoch.count();
  record.watchdog_usec = watchdog_in_force(state).count();
  record.status_errno = runtime.status_errno;
  record.uid = runtime.uid;
  record.gid = runtime.gid;
  record.recent_starts_usec[0] = state.active_since.since_epoch.count();
  record.recent_starts_usec[1] = deadline_of(state.watchdog_at);
}

}  // namespace

void Manager::Impl::save(Unit& unit) noexcept {
  auto slot = slots_.find(unit.graph_id);
  if (slot == slots_.end()) {
    const bool is_pristine =
        unit.job == 0 && unit.active() == ActiveState::kInactive && !unit.inactive_exit.is_set();
    if (is_pristine) return;
    const auto made = edges.state.allocate(unit.id);
    if (!made)
      return log(3,
                 fmt::format("{}: no place in the state file: {}", unit.id, made.error().message));
    slot = slots_.emplace(unit.graph_id, *made).first;
  }
  const Job* job = unit.job == 0 ? nullptr : jobs.find(unit.job);
  uint32_t flags = unit.service ? flags_of(*unit.service) : 0;
  const auto set = [&](bool condition, uint32_t flag) { flags |= condition ? flag : 0; };
  set(unit.simple_active, kSimpleActive);
  set(unit.condition_result, kConditionResult);
  set(unit.assert_result, kAssertResult);
  set(job != nullptr && job->irreversible, kJobIrreversible);
  set(job != nullptr && job->ignore_order, kJobIgnoresOrder);
  const auto timer = job == nullptr ? job_timers_.end() : job_timers_.find(job->id);
  for (const Change& change : changes_) {
    if (change.unit != unit.graph_id) continue;
    flags |= kChangePending | static_cast<uint32_t>(change.before) << kChangeShift;
    set(change.will_auto_restart, kChangeRestarts);
    break;
  }
  const auto limit = start_limits_.find(unit.graph_id);
  {
    auto record = edges.state.edit(slot->second);
    record->active_state = static_cast<uint8_t>(unit.active());
    record->flags = flags;
    record->job_id = job == nullptr ? 0 : job->id;
    record->job_type = job == nullptr ? 0 : static_cast<uint8_t>(job->type);
    record->job_state = job == nullptr ? 0 : static_cast<uint8_t>(job->state);
    record->job_deadline_usec =
        timer == job_timers_.end() ? 0 : deadline_of(timer->second->timer.deadline());
    record->invocation_id = unit.invocation;
    record->state_change = to_record(unit.state_change);
    record->inactive_exit = to_record(unit.inactive_exit);
    record->active_enter = to_record(unit.active_enter);
    record->active_exit = to_record(unit.active_exit);
    record->inactive_enter = to_record(unit.inactive_enter);
    if (limit != start_limits_.end()) {
      record->start_limit_begin_usec = limit->second.begin.since_epoch.count();
      record->start_limit_count = limit->second.count;
    }
    if (unit.service) fill_service(*unit.service, *record);
  }
  if (!unit.service || unit.service->pending_spawn) return;
  // The pids are in the record now.
  *edges.state.spawn_pid(slot->second, StateFile::SpawnKind::kMain) = 0;
  *edges.state.spawn_pid(slot->second, StateFile::SpawnKind::kControl) = 0;
}

void Manager::Impl::forget_slot(Unit& unit) noexcept {
  const auto slot = slots_.find(unit.graph_id);
  if (slot == slots_.end()) return;
  edges.state.free(slot->second);
  slots_.erase(slot);
  if (edges.side != nullptr && unit.service && !unit.service->status_text.empty()) {
    static_cast<void>(edges.side->erase_unit(unit.id));
  }
}

void Manager::Impl::save_manager() noexcept {
  auto record = edges.state.edit_manager();
  record->next_job_id = jobs.next_id();
  record->flags = booting_ ? uint32_t{kBooting} : 0;
  if (final_) {
    record->flags |= kEnding | (final_->forced ? uint32_t{kEndForced} : 0) |
                     static_cast<uint32_t>(final_->action) << kEndShift;
  }
  record->userspace = to_record(userspace);
  record->finish = to_record(boot_finish);
  record->n_installed_jobs = n_installed_jobs;
  record->n_failed_jobs = n_failed_jobs;
  record->exit_code = exit_code;
}

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
  jobs.set_next_id(std::max<uint32_t>(manager.next_job_id, 1));
  units_load_start = now();
  size_t count = 0;
  std::vector<StateFile::SlotId> slots = edges.state.used_slots();
  std::sort(slots.begin(), slots.end(), [&](StateFile::SlotId a, StateFile::SlotId b) {
    return edges.state.record(a).job_id < edges.state.record(b).job_id;
  });
  for (const StateFile::SlotId slot : slots) {
    count += adopt_unit(slot, manager.next_job_id) ? 1 : 0;
  }
  units_load_finish = now();
  // All slots are known before anything is done about one: what follows may look at others.
  for (const auto& [id, slot] : std::unordered_map<UnitId, StateFile::SlotId>(slots_)) {
    Unit* unit = unit_at(id);
    if (unit == nullptr) continue;
    if (unit->service && unit->service->pending_spawn) resume_spawn(*unit, slot);
    if (unit->service && unit->service->state.waits_for_pid_file)
      feed(*unit, watch_pid_file(*unit));
    // It was about to ask for its restart.
    if (unit->service && will_restart(unit->service->state) && unit->job == 0 &&
        unit->service->state.timeout_at.is_never()) {
      wishes_.push_back({{id, JobType::kRestart, JobMode::kReplace}, id});
    }
    queue_job(id);
  }
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
  queue_all_garbage();
  edges.program.request_turn();
  return true;
}

bool Manager::Impl::adopt_unit(StateFile::SlotId slot, JobId next_job) {
  const UnitRecord record = edges.state.record(slot);
  const std::string name(record.name_view());
  const auto parsed = unit::UnitName::parse(name);
  Unit* unit = parsed ? load_name(*parsed) : nullptr;
  if (unit == nullptr || unit->id != name || slots_.count(unit->graph_id) != 0) {
    log(4, fmt::format("{}: its state cannot be taken over.", name));
    edges.state.free(slot);
    return false;
  }
  slots_.emplace(unit->graph_id, slot);
  unit->invocation = record.invocation_id;
  unit->state_change = from_record(record.state_change);
  unit->inactive_exit = from_record(record.inactive_exit);
  unit->active_enter = from_record(record.active_enter);
  unit->active_exit = from_record(record.active_exit);
  unit->inactive_enter = from_record(record.inactive_enter);
  unit->condition_result = (record.flags & kConditionResult) != 0;
  unit->assert_result = (record.flags & kAssertResult) != 0;
  unit->simple_active = unit->simple_active || (record.flags & kSimpleActive) != 0;
  if (record.start_limit_count != 0) {
    start_limits_[unit->graph_id] = {{Micros(record.start_limit_begin_usec)},
                                     record.start_limit_count};
  }
  if (unit->service) restore_service(*unit, record);
  active_states[unit->graph_id] = unit->active();
  const bool is_pending = (record.flags & kChangePending) != 0;
  if (is_pending) {
    const auto before = static_cast<ActiveState>(
        std::min<uint32_t>(record.flags >> kChangeShift & 7, kLastActiveState));
    changes_.push_back(
        {unit->graph_id, before, unit->active(), (record.flags & kChangeRestarts) != 0});
  }
  // A transaction is whole once the manager's record knows its numbers; of one that is not, nobody
  // was told.
  const bool has_job = record.job_id != 0 && record.job_id < next_job;
  if (has_job && record.job_type <= static_cast<uint8_t>(JobType::kRestart)) {
    Job job;
    job.id = record.job_id;
    job.unit = unit->graph_id;
    job.type = static_cast<JobType>(record.job_type);
    job.irreversible = (record.flags & kJobIrreversible) != 0;
    job.ignore_order = (record.flags & kJobIgnoresOrder) != 0;
    // A job that has reached its unit goes on; any other is done again from its beginning, which
    // is harmless where it was done already.
    const ActiveState state = unit->active();
    const bool is_under_way =
        state == ActiveState::kActivating ? job.type == JobType::kStart
        : state == ActiveState::kDeactivating
            ? job.type == JobType::kStop || job.type == JobType::kRestart
            : state == ActiveState::kReloading && job.type == JobType::kReload;
    const bool was_running = record.job_state == static_cast<uint8_t>(JobState::kRunning);
    job.state =
        was_running && (is_under_way || is_pending) ? JobState::kRunning : JobState::kWaiting;
    jobs.restore(job);
    unit->job = job.id;
    if (record.job_deadline_usec != 0) {
      auto& timer = job_timers_[job.id];
      timer = std::make_unique<JobTimer>(*this, job.id);
      edges.timers.arm(timer->timer, {Micros(record.job_deadline_usec)});
    }
  }
  return true;
}

void Manager::Impl::restore_service(Unit& unit, const UnitRecord& record) {
  ServiceRuntime& runtime = *unit.service;
  ServiceState& state = runtime.state;
  const auto has = [&](uint32_t flag) { return (record.flags & flag) != 0; };
  if (record.sub_state <= static_cast<uint8_t>(ServiceSubState::kReloadNotify)) {
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
  state.watchdog_overridden = has(kWatchdogOverridden);
  (state.watchdog_overridden ? state.watchdog_override : state.watchdog_original) =
      Micros(record.watchdog_usec);
  state.active_since = {Micros(record.recent_starts_usec[0])};
  if (record.recent_starts_usec[1] != 0) {
    // While the manager was away nobody read the pings: the service gets a whole span from now.
    state.watchdog_at = edges.timers.clock().monotonic() + watchdog_in_force(state);
  }
  runtime.main_run = from_record(record.main_run);
  runtime.control_run = from_record(record.control_run);
  runtime.status_errno = record.status_errno;
  runtime.uid = record.uid;
  runtime.gid = record.gid;
  if (edges.side != nullptr) {
    runtime.status_text = edges.side->find(unit.id, SideKind::kStatusText);
  }
  if (has(kStreamsOpen)) {
    // Finds the pipe that the keeper kept.
    ExecSpec nowhere;
    static_cast<void>(attach_streams(unit, plan_streams(unit.settings.exec, true, false), nowhere));
  }

  const bool lives = state.sub != ServiceSubState::kDead && state.sub != ServiceSubState::kFailed &&
                     state.sub != ServiceSubState::kAutoRestart;
  if (lives || state.main_pid > 0 || state.control_pid > 0) {
    ensure_group(unit);
    if (runtime.group) {
      unit.cgroup_path = runtime.group->cgroup_path();
      static_cast<void>(runtime.group->watch_until_empty());
      runtime.group->watch_oom(Callback<void()>::to<&ServiceRuntime::on_oom>(runtime));
    }
  }
  restore_fd_store(unit);
  const auto take_back = [&](pid_t pid, ChildWatch& watch) {
    if (pid <= 0) return;
    edges.processes.watch(watch, pid);
    if (runtime.group) runtime.group->add(pid);
  };
  take_back(state.main_pid, runtime.main_watch);
  take_back(state.control_pid, runtime.control_watch);
  if (state.main_pid > 0 || state.control_pid > 0) {
    edges.timers.arm_after(runtime.verify, Micros(1'000'000));
  }
  if (has(kSpawnPending) && record.control_command < static_cast<uint8_t>(ServiceCommand::kCount)) {
    ServiceAction action;
    action.kind = ServiceAction::Kind::kSpawn;
    action.is_control = has(kSpawnIsControl);
    action.command = static_cast<ServiceCommand>(record.control_command);
    action.index = action.is_control ? record.control_index : record.main_index;
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
  const ServiceAction action = *runtime.pending_spawn;
  const auto kind =
      action.is_control ? StateFile::SpawnKind::kControl : StateFile::SpawnKind::kMain;
  const pid_t pid = *edges.state.spawn_pid(slot, kind);
  runtime.pending_spawn.reset();
  if (pid <= 0) return feed(unit, spawn(unit, action));
  CommandRun run;
  run.start = now();
  run.pid = pid;
  (action.is_control ? runtime.control_run : runtime.main_run) = run;
  ensure_group(unit);
  if (runtime.group) runtime.group->add(pid);
  edges.processes.watch(action.is_control ? runtime.control_watch : runtime.main_watch, pid);
  edges.timers.arm_after(runtime.verify, Micros(1'000'000));
  feed(unit, ServiceEvent::spawned(pid, true));
}

}  // namespace flotilla::init
