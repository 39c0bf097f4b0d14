// The state file: every transition is written into the unit's slot. manager_adopt.cc reads it.
#include <algorithm>

#include "init/manager_impl.h"
#include "init/manager_state_flags.h"

namespace flotilla::init {
namespace {

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
  set(runtime.streams_open, kStreamsOpen);
  if (runtime.pending_spawn.is_set()) {
    set(true, kSpawnPending);
    set(runtime.pending_spawn.is_control, kSpawnIsControl);
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
  if (runtime.pending_spawn.is_set()) {
    const auto& action = runtime.pending_spawn;
    record.control_command = static_cast<uint8_t>(action.command);
    (action.is_control ? record.control_index : record.main_index) = action.index;
  }
  record.n_restarts = state.n_restarts;
  record.main_process = {state.main_pid, 0, 0};
  record.control_process = {state.control_pid, 0, 0};
  record.main_run = to_record(runtime.main_run);
  record.control_run = to_record(runtime.extras->control_run);
  // The exit that counts is the machine's: a run may have been closed by a later process.
  record.main_run.code = state.main_exit.code;
  record.main_run.status = state.main_exit.status;
  record.deadline_usec = deadline_of(state.timeout_at);
  record.watchdog_fed_usec = state.watchdog_fed.since_epoch.count();
  record.watchdog_usec = state.watchdog.count();
  record.status_errno = runtime.extras->status_errno;
  record.uid = runtime.uid;
  record.gid = runtime.gid;
  record.recent_starts_usec[0] = state.active_since.since_epoch.count();
  record.recent_starts_usec[1] = deadline_of(state.watchdog_at);
}

}  // namespace

uint32_t Manager::Impl::change_flags_of(UnitId unit) const noexcept {
  const auto is_its = [unit](const Change& change) { return change.unit == unit; };
  const auto to_flags = [](const Change& change) {
    return kChangePending | static_cast<uint32_t>(change.before) << kChangeShift |
           (change.will_auto_restart ? uint32_t{kChangeRestarts} : 0) |
           (change.is_judged ? uint32_t{kChangeJudged} : 0) |
           (change.unexpected ? uint32_t{kChangeUnexpected} : 0);
  };
  // One is written down. Of several the oldest that the job has not heard of matters most.
  const auto waiting = std::find_if(changes_.begin(), changes_.end(), is_its);
  if (waiting != changes_.end()) return to_flags(*waiting);
  const auto wishing = std::find_if(wishing_changes_.begin(), wishing_changes_.end(), is_its);
  return wishing == wishing_changes_.end() ? 0 : to_flags(*wishing);
}

void Manager::Impl::save(Unit& unit) noexcept {
  if (!unit.has_state_slot()) {
    const bool is_pristine = unit.job == 0 && unit.active() == ActiveState::kInactive &&
                             !unit.times[UnitMoment::kInactiveExit].is_set() && unit.markers == 0;
    if (is_pristine) return;
    const auto made = edges.state.allocate(unit.id);
    if (!made)
      return log(3,
                 fmt::format("{}: no place in the state file: {}", unit.id, made.error().message));
    unit.state_slot = *made;
  }
  const Job* job = unit.job == 0 ? nullptr : jobs.find(unit.job);
  uint32_t flags = unit.service ? flags_of(*unit.service) : 0;
  const auto set = [&](bool condition, uint32_t flag) { flags |= condition ? flag : 0; };
  // Scopes have no use for the flag of its own meaning.
  set(unit.simple_active || (unit.service && unit.service->is_abandoned), kSimpleActive);
  set(unit.condition_result, kConditionResult);
  set(unit.assert_result, kAssertResult);
  set(job != nullptr && job->irreversible, kJobIrreversible);
  set(job != nullptr && job->ignore_order, kJobIgnoresOrder);
  const auto timer = job == nullptr ? job_timers_.end() : job_timers_.find(job->id);
  flags |= change_flags_of(unit.graph_id);
  flags |= static_cast<uint32_t>(unit.markers) << kMarkersShift;
  {
    auto record = edges.state.edit(unit.state_slot);
    record->active_state = static_cast<uint8_t>(unit.active());
    record->flags = flags;
    record->job_id = job == nullptr ? 0 : job->id;
    record->job_type = job == nullptr ? 0 : static_cast<uint8_t>(job->type);
    record->job_state = job == nullptr ? 0 : static_cast<uint8_t>(job->state);
    record->job_deadline_usec =
        timer == job_timers_.end() ? 0 : deadline_of(timer->second->timer.deadline());
    record->invocation_id = unit.invocation;
    record->state_change = to_record(unit.times[UnitMoment::kStateChange]);
    record->inactive_exit = to_record(unit.times[UnitMoment::kInactiveExit]);
    record->active_enter = to_record(unit.times[UnitMoment::kActiveEnter]);
    record->active_exit = to_record(unit.times[UnitMoment::kActiveExit]);
    record->inactive_enter = to_record(unit.times[UnitMoment::kInactiveEnter]);
    record->start_limit_begin_usec = unit.start_limit.begin.since_epoch.count();
    record->start_limit_count = unit.start_limit.count;
    if (unit.service) fill_service(*unit.service, *record);
  }
  if (!unit.service || unit.service->pending_spawn.is_set()) return;
  // The pids are in the record now.
  *edges.state.spawn_pid(unit.state_slot, StateFile::SpawnKind::kMain) = 0;
  *edges.state.spawn_pid(unit.state_slot, StateFile::SpawnKind::kControl) = 0;
}

void Manager::Impl::forget_slot(Unit& unit) noexcept {
  if (!unit.has_state_slot()) return;
  edges.state.free(unit.state_slot);
  unit.state_slot = Unit::kNoStateSlot;
  if (edges.side != nullptr && unit.service && !unit.service->extras->status_text.empty()) {
    static_cast<void>(edges.side->erase_unit(unit.id));
  }
}

void Manager::Impl::save_manager() noexcept {
  auto record = edges.state.edit_manager();
  record->next_job_id = jobs.next_id();
  record->flags =
      (booting_ ? uint32_t{kBooting} : 0) | (generators_may_run_ ? uint32_t{kGeneratorsRun} : 0);
  record->flags |= (options.service_watchdogs ? 0 : uint32_t{kNoServiceWatchdogs}) |
                   static_cast<uint32_t>(client_log_level + 1) << kLogLevelShift |
                   static_cast<uint32_t>(client_log_target + 1) << kLogTargetShift;
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

}  // namespace flotilla::init
