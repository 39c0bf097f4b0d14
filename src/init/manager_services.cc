// Feeds the service machine and carries out what it answers; state changes and what follows from
// them.
#include <algorithm>
#include <csignal>
#include <utility>

#include "init/manager_impl.h"
#include "init/mount_machine.h"
#include "init/random_span.h"
#include "init/terminal.h"

namespace flotilla::init {
namespace {

using base::Status;
using Kind = ServiceEvent::Kind;

bool is_up(ActiveState state) {
  return state == ActiveState::kActive || state == ActiveState::kReloading;
}
bool is_down(ActiveState state) {
  return state == ActiveState::kInactive || state == ActiveState::kFailed;
}

}  // namespace

void Manager::Impl::record_exit(Unit& unit, bool is_main, const ChildExit& exit) {
  ServiceRuntime& runtime = *unit.service;
  if (runtime.group) runtime.group->forget(exit.pid);
  const std::string& utmp = unit.settings.exec->extras->utmp_identifier;
  if (!utmp.empty() && edges.helper != nullptr) {
    edges.helper->end_utmp(utmp_files(edges.helper->paths(), options.host_values), utmp, exit);
  }
  const auto close = [&](CommandRun& run) {
    run.exit = now();
    run.code = static_cast<int16_t>(exit.code);
    run.status = static_cast<int16_t>(exit.status);
  };
  const auto close_indexed = [&](ServiceCommand which, size_t index) {
    if (CommandRun* run = runtime.find_run(which, index)) close(*run);
  };
  const ServiceState& state = runtime.state;
  if (!is_main && state.sub == ServiceSubState::kCleaning) {
    runtime.extras.edit().clean_result = exit.code == CLD_EXITED && exit.status == 0
                                             ? ServiceResult::kSuccess
                                         : exit.code == CLD_EXITED ? ServiceResult::kExitCode
                                                                   : ServiceResult::kSignal;
  }
  if (is_main) {
    close(runtime.main_run);
    if (state.has_main_command) close_indexed(ServiceCommand::kStart, state.main_index);
  } else {
    close(runtime.extras.edit().control_run);
    if (state.has_control_command) close_indexed(state.control_command, state.control_index);
  }
}

ServiceFacts Manager::Impl::facts_for(const Unit& unit, Kind event) {
  const ServiceRuntime& runtime = *unit.service;
  ServiceFacts facts{*unit.settings.service, unit.settings.commands, unit.settings.kill,
                     edges.timers.clock().monotonic()};
  if (is_mount(unit)) {
    facts.is_mounted = is_mounted(unit);
    return facts;
  }
  if (const Job* job = jobs.of_unit(unit.graph_id)) {
    facts.stop_job = job->type == JobType::kStop;
    facts.restart_job = job->type == JobType::kRestart;
  }
  facts.runtime_extra = random_span(edges.processes, unit.settings.service->runtime_extra);
  const NeededFacts needed =
      needed_facts(*unit.settings.service, unit.settings.commands, runtime.state, event);
  if (needed.processes) {
    facts.processes =
        runtime.group && runtime.group->is_populated() && runtime.group->watch_until_empty()
            ? ServiceFacts::Processes::kSome
            : ServiceFacts::Processes::kNone;
  }
  if (minds_left_overs(unit.settings.kill, runtime.state, event) && runtime.group) {
    facts.left_overs = runtime.group->is_populated();
  }
  if (needed.pid_file) read_pid_file(unit, facts);
  if (needed.guess && runtime.group) {
    std::vector<pid_t> pids;
    runtime.group->pids(pids);
    const auto is_out = [&](pid_t pid) {
      if (pid == runtime.state.control_pid) return true;
      const auto info = edges.processes.inspect(pid);
      return !info || !edges.processes.is_ours(*info);
    };
    pids.erase(std::remove_if(pids.begin(), pids.end(), is_out), pids.end());
    // Only a daemon that is the single one, whatever it has begun itself, can be meant.
    if (pids.size() == 1) facts.guessed_main_pid = pids[0];
  }
  return facts;
}

void Manager::Impl::feed(Unit& unit, const ServiceEvent& event) {
  ServiceRuntime& runtime = *unit.service;
  // All that is left is to see the last process go.
  if (final_ && final_->forced) return edges.program.request_turn();
  ServiceActions actions;
  const base::MonotonicTime fed_before = runtime.state.watchdog_fed;
  std::optional<ServiceEvent> next = event;
  while (next) {
    const ServiceEvent current = *next;
    next.reset();
    (is_mount(unit) ? step_mount : step)(runtime.state, current, facts_for(unit, current.kind),
                                         actions);
    for (const ServiceAction& action : actions) {
      if (auto outcome = carry_out(unit, action)) next = outcome;
    }
  }
  if (runtime.state.sub == ServiceSubState::kExited && unit.has_cgroup) {
    release_group_later(unit);
  }
  if (runtime.state.watchdog_at.is_never()) {
    if (runtime.extras->watchdog_time.is_set()) runtime.extras.edit().watchdog_time = {};
  } else if (runtime.state.watchdog_fed != fed_before) {
    runtime.extras.edit().watchdog_time = now();
  }
  // What says that there is nothing to do says it as a condition would.
  if (runtime.state.condition_failed) unit.condition_result = false;
  arm_service_timers(runtime);
  if (runtime.control_watch && !runtime.control_watch->is_watching()) runtime.control_watch.reset();
  if (is_down(active_states[unit.graph_id])) queue_garbage(unit.graph_id);
  save(unit);
  note_changed(unit);
  edges.program.request_turn();
}

void Manager::Impl::arm_service_timers(ServiceRuntime& runtime) {
  const ServiceState& state = runtime.state;
  if (state.timeout_at.is_never()) {
    runtime.timeout.reset();
  } else if (!runtime.timeout) {
    runtime.timeout =
        std::make_unique<Timer>(Callback<void()>::to<&ServiceRuntime::on_timeout>(runtime));
  }
  if (runtime.timeout && runtime.timeout->deadline() != state.timeout_at) {
    edges.timers.arm(*runtime.timeout, state.timeout_at);
  }
  if (!runtime.extras->watchdog && !state.watchdog_at.is_never()) {
    runtime.extras.edit().watchdog =
        std::make_unique<Timer>(Callback<void()>::to<&ServiceRuntime::on_watchdog>(runtime));
  }
  if (const auto& watchdog = runtime.extras->watchdog;
      watchdog && watchdog->deadline() != state.watchdog_at) {
    edges.timers.arm(*watchdog, state.watchdog_at);
  }
}

std::optional<ServiceEvent> Manager::Impl::carry_out(Unit& unit, const ServiceAction& action) {
  ServiceRuntime& runtime = *unit.service;
  switch (action.kind) {
    case ServiceAction::Kind::kEnterState:
      restarting_[unit.graph_id] = action.state == ServiceSubState::kAutoRestart;
      change_state(unit, active_state_of(unit.settings.service->type, action.state), action.flag);
      return std::nullopt;
    case ServiceAction::Kind::kBeginRun:
      begin_run(unit);
      return std::nullopt;
    case ServiceAction::Kind::kSpawn:
      return spawn(unit, action);
    case ServiceAction::Kind::kKill:
      return send_kill(unit, action.kill);
    case ServiceAction::Kind::kReloadSignal:
      edges.processes.signal(action.pid, unit.settings.service->reload_signal);
      edges.processes.signal(action.pid, SIGCONT);
      return std::nullopt;
    case ServiceAction::Kind::kKillControl:
      edges.processes.signal(action.pid, SIGKILL);
      return std::nullopt;
    case ServiceAction::Kind::kUnwatchMain:
      edges.processes.unwatch(runtime.main_watch);
      return std::nullopt;
    case ServiceAction::Kind::kUnwatchControl:
      if (runtime.control_watch) edges.processes.unwatch(*runtime.control_watch);
      return std::nullopt;
    case ServiceAction::Kind::kWatchMain:
      watch_main(unit, action.pid);
      return std::nullopt;
    case ServiceAction::Kind::kWatchPidFile:
      return watch_pid_file(unit);
    case ServiceAction::Kind::kUnwatchPidFile:
      // It may be the watch that calls us.
      if (const auto& watch = runtime.extras->pid_file_watch) edges.paths.unwatch(*watch);
      return std::nullopt;
    case ServiceAction::Kind::kQueueRestart:
      wishes_.push_back({{unit.graph_id, JobType::kRestart, JobMode::kReplace}, unit.graph_id});
      edges.program.request_turn();
      return std::nullopt;
    case ServiceAction::Kind::kPropagateReload:
      for (const UnitId other :
           graph.dependencies(unit.graph_id, Dependency::kPropagatesReloadTo)) {
        wishes_.push_back({{other, JobType::kTryReload, JobMode::kFail}, kNoUnit});
      }
      return std::nullopt;
    case ServiceAction::Kind::kReleaseResources:
      release_resources(unit, action.flag);
      return std::nullopt;
    case ServiceAction::Kind::kLog:
      if (action.log == ServiceLog::kWatchdogRequest) {
        const std::string& status = runtime.extras->status_text;
        log_of(unit, priority_of(action),
               fmt::format("Watchdog request (last status: {})!",
                           status.empty() ? "<unset>" : status));
      } else {
        edges.logs.message(unit.id, priority_of(action), unit.id + ": " + text_of(action));
      }
      return std::nullopt;
  }
  return std::nullopt;
}

void Manager::Impl::begin_run(Unit& unit) {
  edges.processes.fill_random(unit.invocation);
  // An id of version 4, as everybody else makes them.
  unit.invocation[6] = static_cast<uint8_t>((unit.invocation[6] & 0x0f) | 0x40);
  unit.invocation[8] = static_cast<uint8_t>((unit.invocation[8] & 0x3f) | 0x80);
  if (!unit.service) return;
  ServiceRuntime& runtime = *unit.service;
  if (!runtime.extras->status_text.empty() && edges.side != nullptr) {
    static_cast<void>(edges.side->put(unit.id, SideKind::kStatusText, ""));
  }
  if (runtime.extras.is_set()) {
    ServiceRuntimeExtras& extras = runtime.extras.edit();
    extras.status_text = {};
    extras.status_errno = 0;
    extras.watchdog_time = {};
  }
  runtime.forget_runs(is_mount(unit));
  runtime.main_run = {};
  if (runtime.group) runtime.group->set_invocation(unit.invocation_id());
}

// What the unit had besides its processes: its run-time directories and its terminal.
void Manager::Impl::release_surroundings(const Unit& unit, bool restarts) {
  const ExecExtras& extras = *unit.settings.exec->extras;
  if (needs_term(*unit.settings.exec)) {
    const std::string path = edges.host.host_path(tty_path_of(*unit.settings.exec));
    if (extras.tty_vhangup) hang_up_terminal(path);
    if (extras.tty_reset) reset_terminal(path);
    if (extras.tty_vt_disallocate) disallocate_terminal(path);
    take_terminal_back(path);
  }
  const Job* job = jobs.of_unit(unit.graph_id);
  const bool comes_back =
      restarts ||
      (job != nullptr && (job->type == JobType::kRestart || job->type == JobType::kStart));
  const DirectoryPreserve preserve = extras.runtime_directory_preserve;
  if (preserve == DirectoryPreserve::kNo ||
      (preserve == DirectoryPreserve::kRestart && !comes_back)) {
    const bool is_dynamic = unit.settings.exec->sandbox->dynamic_user;
    remove_runtime_directories(extras, directory_bases(options.host_values), is_dynamic);
  }
}

void Manager::Impl::release_resources(Unit& unit, bool restarts) {
  settle_spawns(0);
  ServiceRuntime& runtime = *unit.service;
  const bool has_surroundings =
      unit.settings.exec->extras.is_set() || needs_term(*unit.settings.exec);
  if (has_surroundings) release_surroundings(unit, restarts);
  // A restart follows: what would be made again at once stays.
  if (runtime.group && (!restarts || runtime.group_was_killed)) {
    release_group_later(unit);
    runtime.group_was_killed = false;
  }
  const std::string& pid_file = unit.settings.service->extras->pid_file;
  if (!pid_file.empty()) edges.program.remove_file(pid_file);
  close_sandbox(unit);
  runtime.uid = runtime.gid = UINT32_MAX;
  if (restarts) return;
  runtime.drop_main_exec();
  if (runtime.streams_open) {
    edges.logs.close_streams(unit.id);
    runtime.streams_open = false;
  }
}

void Manager::Impl::watch_main(Unit& unit, pid_t pid) {
  ServiceRuntime& runtime = *unit.service;
  ensure_group(unit);
  if (runtime.group) runtime.group->add(pid);
  runtime.set_main_run_aside();
  runtime.main_run = {};
  runtime.main_run.start = now();
  runtime.main_run.pid = pid;
  // An alien becomes ours, and its exit comes here, when its own parent is gone.
  edges.processes.watch(runtime.main_watch, pid);
}

void Manager::Impl::change_state(Unit& unit, ActiveState state, bool will_auto_restart) {
  const UnitId id = unit.graph_id;
  const ActiveState before = active_states[id];
  active_states[id] = state;
  const Timestamps stamp = now();
  unit.times.set(UnitMoment::kStateChange, stamp);
  if (is_down(state)) {
    unit.markers = 0;
    remove_links(unit);
  }
  if (state == ActiveState::kReloading && state != before) {
    unit.markers &= static_cast<uint8_t>(~static_cast<uint8_t>(UnitMarker::kNeedsReload));
  }
  if (is_down(before) && !is_down(state)) unit.times.set(UnitMoment::kInactiveExit, stamp);
  if (!is_down(before) && is_down(state)) unit.times.set(UnitMoment::kInactiveEnter, stamp);
  if (!is_up(before) && is_up(state)) unit.times.set(UnitMoment::kActiveEnter, stamp);
  if (is_up(before) && !is_up(state)) unit.times.set(UnitMoment::kActiveExit, stamp);
  changes_.push_back({id, before, state, will_auto_restart});
  note_changed(unit);
  if (!unit.service) save(unit);
  edges.program.request_turn();
}

bool Manager::Impl::run_one_change() {
  if (changes_.empty()) return false;
  const Change change = changes_.front();
  changes_.pop_front();
  Unit* unit = unit_at(change.unit);
  if (unit == nullptr) return true;
  ReloadOutcome reload = ReloadOutcome::kNone;
  if (unit->service && unit->service->state.reload_result != ServiceResult::kSuccess) {
    reload = ReloadOutcome::kFailed;
  }
  const Job* job = change.is_judged ? nullptr : jobs.of_unit(change.unit);
  JobVerdict verdict;
  if (change.is_judged) {
    verdict.unexpected = change.unexpected;
  } else {
    verdict = judge_job(job, change.now, reload);
  }
  if (job != nullptr && verdict.result) finish(job->id, *verdict.result);
  if (verdict.look_again) queue_job(change.unit);
  const StateChange told{change.unit, change.before, change.now, verdict.unexpected,
                         change.will_auto_restart};
  const size_t wishes_before = wishes_.size();
  std::optional<Reason> said;
  for (const Consequence& consequence : requests_of_change(view(), told)) {
    const bool is_handler =
        consequence.reason == Reason::kOnFailure || consequence.reason == Reason::kOnSuccess;
    if (is_handler && said != consequence.reason) {
      said = consequence.reason;
      edges.logs.message(unit->id, 6, unit->id + ": " + text_of(graph, consequence));
    }
    wishes_.push_back({consequence.request, kNoUnit});
  }
  if (unit->settings.extras->actions.is_set() && !change.is_judged) {
    act_on_change(*unit, change.before, change.now);
  }
  if (wishes_.size() != wishes_before) {
    wishing_changes_.push_back(change);
    wishing_changes_.back().is_judged = true;
    wishing_changes_.back().unexpected = verdict.unexpected;
  }
  for (const UnitId other : units_to_settle(view(), told)) settle_queue_.push_back(other);
  if (is_down(change.now)) queue_garbage(change.unit);
  save(*unit);  // the change is not pending any more
  return true;
}

bool Manager::Impl::run_one_wish() {
  if (wishes_.empty()) {
    // All are jobs now, or were refused: nothing has to be told again.
    for (const Change& change : std::exchange(wishing_changes_, {})) {
      if (Unit* unit = unit_at(change.unit)) save(*unit);
    }
    return false;
  }
  const Wish wish = wishes_.front();
  wishes_.pop_front();
  Unit* unit = unit_at(wish.request.unit);
  if (unit == nullptr) return true;
  const auto id = enqueue(wish.request);
  if (id) return true;
  edges.logs.message(unit->id, 4,
                     fmt::format("{}: Failed to enqueue a {} job: {}", unit->id,
                                 to_string(wish.request.type), id.error().message));
  if (wish.tell_restart_failed != kNoUnit) feed(*unit, ServiceEvent::of(Kind::kRestartFailed));
  return true;
}

bool Manager::Impl::settle_one() {
  if (settle_queue_.empty()) return false;
  const UnitId id = settle_queue_.front();
  settle_queue_.pop_front();
  Unit* unit = unit_at(id);
  if (unit == nullptr) return true;
  const auto consequence = settle_unit(view(), id, restarting_);
  if (!consequence) return true;
  // What cannot be settled must not be tried for ever.
  auto& [count, since] = settle_limits_[id];
  const auto time = edges.timers.clock().monotonic();
  if (time - since > Micros(10'000'000)) {
    since = time;
    count = 0;
  }
  if (++count > 16) return true;
  edges.logs.message(unit->id, 6, unit->id + ": " + text_of(graph, *consequence));
  wishes_.push_back({consequence->request, kNoUnit});
  return true;
}

Status Manager::Impl::reset_failed(Unit& unit) {
  unit.start_limit = {};
  if (unit.service) feed(unit, ServiceEvent::of(Kind::kResetFailed));
  queue_garbage(unit.graph_id);
  edges.program.request_turn();
  return {};
}

}  // namespace flotilla::init
