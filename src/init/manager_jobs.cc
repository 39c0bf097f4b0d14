// Requests, the job queue, and what follows from the end of a job.
#include <algorithm>

#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

using base::Result;
using unit::UnitType;

// The words of the bus are types but for the two that depend on the unit.
std::optional<JobType> type_of(std::string_view word, const UnitGraph& graph, UnitId unit) {
  if (word == "reload-or-restart") return reload_if_possible(graph, unit, JobType::kRestart);
  if (word == "reload-or-try-restart") {
    return reload_if_possible(graph, unit, JobType::kTryRestart);
  }
  return parse_job_type(word);
}

bool has_jobs_of_its_own(UnitType type) {
  return type == UnitType::kService || type == UnitType::kTarget || type == UnitType::kSlice ||
         type == UnitType::kScope || type == UnitType::kMount;
}

// There are no socket units yet; but where somebody else runs a bus, its socket is there.
bool is_served_bus(const Unit& unit, const base::FileTree& host) {
  return unit.id == "dbus.socket" && host.stat("/run/dbus/system_bus_socket").has_value();
}

std::string name_in_logs(const Unit& unit) {
  const std::string_view description = unit.settings.description;
  return description.empty() ? unit.id : fmt::format("{} - {}", unit.id, description);
}

}  // namespace

Result<uint32_t> Manager::Impl::request(std::string_view name, std::string_view type_word,
                                        std::string_view mode_word, std::vector<JobId>* others) {
  FLOTILLA_ASSIGN(Unit * unit, load(name));
  const auto type = type_of(type_word, graph, unit->graph_id);
  const auto mode = parse_job_mode(mode_word);
  if (!type || !mode) {
    return type ? base::invalid("Job mode {} invalid", mode_word)
                : base::invalid("Job type {} invalid", type_word);
  }
  FLOTILLA_TRY(check_manual_request(view(), unit->graph_id, *type));
  return enqueue({unit->graph_id, *type, *mode}, others);
}

Result<uint32_t> Manager::Impl::enqueue(const JobRequest& request, std::vector<JobId>* others) {
  const auto tell = [this](const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      // A line that begins with the name of a unit belongs in that unit's log.
      const Unit* unit = find(std::string_view(line).substr(0, line.find(": ")));
      edges.logs.message(unit != nullptr ? unit->id : std::string_view(), 4, line);
    }
  };
  std::vector<std::string> warnings;
  auto plan = build_transaction(view(), request, &warnings);
  if (!plan) {
    tell(warnings);
    return base::unexpected(std::move(plan).error());
  }
  tell(plan->warnings);
  for (const JobId id : plan->cancel) finish(id, JobResult::kCanceled, Recursion::kThisOnly);
  std::vector<JobId> ids;
  for (const Job& job : plan->jobs) ids.push_back(job.id);
  std::sort(ids.begin(), ids.end());
  jobs.reserve_ids(ids);
  jobs.set_next_id(plan->next_id);
  uint32_t anchor = 0;
  for (size_t i = 0; i < plan->jobs.size(); ++i) {
    const Job& job = plan->jobs[i];
    const JobTable::Installed installed = jobs.install(job, active(job.unit));
    Unit* unit = unit_at(job.unit);
    if (installed.replaced) {
      if (observer != nullptr && unit != nullptr) {
        events_.removed_jobs.push_back({installed.replaced->id, unit->id, JobResult::kCanceled});
      }
      job_timers_.erase(installed.replaced->id);
      queue_neighbours(job.unit);
    }
    if (installed.is_new) {
      ++n_installed_jobs;
      if (observer != nullptr && unit != nullptr) {
        events_.new_jobs.emplace_back(installed.id, unit->id);
      }
    }
    if (unit != nullptr) {
      if (job.type != JobType::kNop) unit->job = installed.id;
      note_changed(*unit);
      arm_job_timer(installed.id, job.unit, false);
      save(*unit);
    }
    queue_job(job.unit);
    if (i == plan->anchor) {
      anchor = installed.id;
    } else if (others != nullptr) {
      others->push_back(installed.id);
    }
  }
  save_manager();
  return anchor;
}

void Manager::Impl::arm_job_timer(JobId id, UnitId unit_id, bool running) {
  const UnitSettings& settings = unit_at(unit_id)->settings;
  const Micros limit =
      running ? settings.limits->job_running_timeout : settings.limits->job_timeout;
  if (limit == kInfinity || limit.count() == 0) return;
  auto& timer = job_timers_[id];
  if (!timer) timer = std::make_unique<JobTimer>(*this, id);
  const auto deadline = edges.timers.clock().monotonic() + limit;
  if (!timer->timer.is_armed() || deadline < timer->timer.deadline()) {
    edges.timers.arm(timer->timer, deadline);
  }
}

void Manager::Impl::JobTimer::on_expiry() {
  Impl& owner = impl;
  const JobId id = job;
  if (const Job* expired = owner.jobs.find(id); expired != nullptr) {
    if (const Unit* unit = owner.unit_at(expired->unit)) {
      owner.edges.logs.message(
          unit->id, 4,
          fmt::format("{}: Job {}/{} timed out.", unit->id, unit->id, to_string(expired->type)));
    }
    Unit* const unit = owner.unit_at(expired->unit);
    owner.finish(id, JobResult::kTimeout);  // ends this timer
    if (unit != nullptr) {
      owner.act(unit->settings.extras->actions->job_timeout, std::nullopt, ActNoise::kWarning,
                "job timed out");
    }
    owner.edges.program.request_turn();
  }
}

void Manager::Impl::queue_job(UnitId unit) {
  if (unit >= queued_.size() || queued_[unit]) return;
  queued_[unit] = true;
  run_queue_.push_back(unit);
  std::push_heap(run_queue_.begin(), run_queue_.end(),
                 [this](UnitId a, UnitId b) { return runs_before(b, a); });
  edges.program.request_turn();
}

// What waited for a job that is gone may run now.
void Manager::Impl::queue_neighbours(UnitId unit) {
  for (const Dependency kind : {Dependency::kAfter, Dependency::kBefore}) {
    for (const UnitId other : graph.dependencies(unit, kind)) {
      const Job* job = jobs.of_unit(other);
      if (job != nullptr && job->state == JobState::kWaiting) queue_job(other);
    }
  }
}

// Of those that could run at once. Others wait for what has few jobs of its own: scopes and slices
// go first, services last; then who has more weight, and at last the names decide.
bool Manager::Impl::runs_before(UnitId a, UnitId b) const {
  const Unit *first = unit_at(a), *second = unit_at(b);
  if (first == nullptr || second == nullptr) return first != nullptr;
  const UnitType type = first->settings.name.type(), other = second->settings.name.type();
  if (type != other) return type > other;
  const auto weight = [](const Unit& unit) {
    constexpr uint64_t kDefault = 100;
    const bool is_set =
        unit.settings.extras->cgroup && unit.settings.extras->cgroup->cpu_weight != kCgroupUnset;
    return is_set ? unit.settings.extras->cgroup->cpu_weight : kDefault;
  };
  if (weight(*first) != weight(*second)) return weight(*first) > weight(*second);
  const int nice = first->settings.exec->nice.value_or(0);
  const int other_nice = second->settings.exec->nice.value_or(0);
  return nice != other_nice ? nice < other_nice : first->id < second->id;
}

void Manager::Impl::leave_run_queue(UnitId unit) {
  run_queue_.erase(std::remove(run_queue_.begin(), run_queue_.end(), unit), run_queue_.end());
  std::make_heap(run_queue_.begin(), run_queue_.end(),
                 [this](UnitId a, UnitId b) { return runs_before(b, a); });
}

void Manager::Impl::look_at_job(UnitId unit) { queue_job(unit); }

bool Manager::Impl::run_one_job() {
  if (run_queue_.empty()) return false;
  std::pop_heap(run_queue_.begin(), run_queue_.end(),
                [this](UnitId a, UnitId b) { return runs_before(b, a); });
  const UnitId id = run_queue_.back();
  run_queue_.pop_back();
  queued_[id] = false;
  if (unit_at(id) == nullptr) return true;
  for (const Job* job : {jobs.of_unit(id), jobs.nop_of_unit(id)}) {
    if (job == nullptr || job->state == JobState::kRunning) continue;
    if (!job_is_runnable(graph, jobs, *job)) continue;
    const Job copy = *job;
    run_job(copy);
  }
  return true;
}

void Manager::Impl::run_job(const Job& job) {
  Unit& unit = *unit_at(job.unit);
  if (job.type == JobType::kNop) return finish(job.id, JobResult::kDone);
  switch (decide_job_start(job.type, unit.active())) {
    case JobStart::kFinishDone:
      return finish(job.id, JobResult::kDone);
    case JobStart::kFinishSkipped:
      return finish(job.id, JobResult::kSkipped);
    case JobStart::kFinishInvalid:
      return finish(job.id, JobResult::kInvalid);
    case JobStart::kLater:
      return;
    case JobStart::kRun:
      break;
  }
  if (!has_jobs_of_its_own(unit.settings.name.type()) && job.type != JobType::kStop &&
      !is_served_bus(unit, edges.host)) {
    return finish(job.id, JobResult::kUnsupported);
  }
  jobs.set_state(job.id, JobState::kRunning);
  if (observer != nullptr) events_.changed_jobs.push_back(job.id);
  arm_job_timer(job.id, job.unit, true);
  const ActiveState before = unit.active();
  carry_out(job, unit);
  if (unit.active() != before) log_job_begin(unit);
}

void Manager::Impl::carry_out(const Job& job, Unit& unit) {
  thaw(unit);
  if (is_mount(unit)) ensure_mount_runtime(unit);
  switch (job.type) {
    case JobType::kStart:
      return run_start(job, unit);
    case JobType::kStop:
    case JobType::kRestart:
      if (unit.service) return feed(unit, ServiceEvent::of(ServiceEvent::Kind::kStop));
      unit.simple_active = false;
      return change_state(unit, ActiveState::kInactive, false);
    case JobType::kReload:
      if (unit.service) return feed(unit, ServiceEvent::of(ServiceEvent::Kind::kReload));
      return finish(job.id, JobResult::kDone);
    default:
      return finish(job.id, JobResult::kInvalid);
  }
}

void Manager::Impl::run_start(const Job& job, Unit& unit) {
  if (const auto state = check_load_state(graph, job.unit); !state) {
    return finish(job.id, JobResult::kInvalid);
  }
  if (unit.settings.name.type() == UnitType::kScope && unit.service) {
    return start_scope(job, unit);
  }
  if (unit.service) return start_service(job, unit);
  if (!check_conditions(job, unit) || !check_bindings(job, unit)) return;
  begin_run(unit);
  unit.simple_active = true;
  change_state(unit, ActiveState::kActive, false);
}

void Manager::Impl::start_service(const Job& job, Unit& unit) {
  switch (answer_to_start(unit.service->state.sub)) {
    case StartAnswer::kAlreadyThere:
      return finish(job.id, JobResult::kDone);
    case StartAnswer::kUnderWay:
      return;
    case StartAnswer::kLater:
      jobs.set_state(job.id, JobState::kWaiting);
      return;
    case StartAnswer::kBegin:
      break;
  }
  if (!check_conditions(job, unit) || !check_bindings(job, unit)) return;
  const bool admitted =
      unit.start_limit.admit(edges.timers.clock().monotonic(), unit.settings.limits->start_interval,
                             unit.settings.limits->start_burst);
  if (!admitted) {
    act(unit.settings.extras->actions->start_limit, std::nullopt, ActNoise::kWarning,
        fmt::format("unit {} failed", unit.id));
  }
  feed(unit,
       ServiceEvent::of(admitted ? ServiceEvent::Kind::kStart : ServiceEvent::Kind::kStartRefused));
}

bool Manager::Impl::check_conditions(const Job& job, Unit& unit) {
  UnitSettings& settings = unit.settings;
  const Condition* failed = nullptr;
  unit.times.set(UnitMoment::kCondition, now());
  unit.condition_result = settings.extras->conditions.empty() ||
                          all_hold(settings.extras.edit().conditions, world(), &failed);
  note_changed(unit);
  if (!unit.condition_result) {
    edges.logs.message(
        unit.id, 6,
        fmt::format("{} was skipped because of an unmet condition check "
                    "(Condition{}={}{}).",
                    unit.id, failed->kind, failed->negate ? "!" : "", failed->parameter));
    finish(job.id, JobResult::kDone);
    return false;
  }
  unit.times.set(UnitMoment::kAssert, unit.times[UnitMoment::kCondition]);
  unit.assert_result = settings.extras->assertions.empty() ||
                       all_hold(settings.extras.edit().assertions, world(), &failed);
  if (!unit.assert_result) {
    edges.logs.message(
        unit.id, 5,
        fmt::format("Starting {} failed because of an unmet assertion "
                    "(Assert{}={}{}).",
                    unit.id, failed->kind, failed->negate ? "!" : "", failed->parameter));
    finish(job.id, JobResult::kAssert);
    return false;
  }
  return true;
}

bool Manager::Impl::check_bindings(const Job& job, const Unit& unit) {
  const UnitId missing = find_missing_binding(view(), job.unit);
  if (missing == kNoUnit) return true;
  edges.logs.message(
      unit.id, 5,
      fmt::format("{}: Bound to unit {}, but unit isn't active.", unit.id, graph.id(missing)));
  finish(job.id, JobResult::kDependency);
  return false;
}

void Manager::Impl::finish(JobId id, JobResult result, Recursion recursion) {
  if (jobs.find(id) == nullptr) return;
  const JobFinish end = finish_job(view(), id, result, recursion);
  if (end.continues_as_start) {
    const UnitId unit = jobs.find(id)->unit;
    Unit* const restarted = unit_at(unit);
    // Of a restart that had something to stop the stop is told of as well.
    const Job& half = *jobs.find(id);
    if (restarted != nullptr && half.state == JobState::kRunning) {
      log_job_end(half, *restarted, JobResult::kDone);
    }
    jobs.continue_as_start(id);
    if (observer != nullptr) events_.changed_jobs.push_back(id);
    if (restarted != nullptr) save(*restarted);
    queue_job(unit);
  }
  for (const FinishedJob& finished : end.finished) finish_one(finished);
  for (const UnitId unit : end.look_again) queue_job(unit);
  for (const UnitId failed : end.on_failure) {
    if (unit_at(failed) == nullptr) continue;
    const EdgeList& handlers = graph.dependencies(failed, Dependency::kOnFailure);
    if (handlers.empty()) continue;
    const std::string& name = graph.id(failed);
    edges.logs.message(name, 6, name + ": Triggering OnFailure= dependencies.");
    for (const UnitId handler : handlers) {
      wishes_.push_back({{handler, JobType::kStart, graph.facts(failed).on_failure_mode}, kNoUnit});
    }
  }
  edges.program.request_turn();
}

void Manager::Impl::finish_one(const FinishedJob& finished) {
  const auto job = jobs.remove(finished.id);
  if (!job) return;
  job_timers_.erase(job->id);
  if (finished.result == JobResult::kFailed || finished.result == JobResult::kInvalid) {
    ++n_failed_jobs;
  }
  Unit* unit = unit_at(job->unit);
  if (unit == nullptr) return;
  if (finished.result == JobResult::kTimeout || finished.result == JobResult::kDependency) {
    edges.logs.message(unit->id, 5,
                       fmt::format("{0}: Job {0}/{1} failed with result '{2}'.", unit->id,
                                   to_string(job->type), to_string(finished.result)));
  }
  if (observer != nullptr) {
    events_.removed_jobs.push_back({job->id, unit->id, finished.result});
  }
  queue_garbage(job->unit);
  const Job* remaining = jobs.of_unit(job->unit);
  unit->job = remaining == nullptr ? 0 : remaining->id;
  if (job->type != JobType::kNop) log_job_end(*job, *unit, finished.result);
  note_changed(*unit);
  save(*unit);
}

// Only of what takes its time: the end of the job says all there is to say of the rest.
void Manager::Impl::log_job_begin(const Unit& unit) {
  const auto say = [&](std::string_view text) {
    edges.logs.message(unit.id, 6, fmt::format("{} {}...", text, name_in_logs(unit)));
  };
  const bool mounts = is_mount(unit);
  switch (unit.active()) {
    case ActiveState::kActivating:
      return say(mounts ? "Mounting" : "Starting");
    case ActiveState::kDeactivating:
      return say(mounts ? "Unmounting" : "Stopping");
    case ActiveState::kReloading:
      return say("Reloading");
    default:
      return;
  }
}

void Manager::Impl::log_job_end(const Job& job, Unit& unit, JobResult result) {
  const auto say = [&](int priority, std::string_view text) {
    edges.logs.message(unit.id, priority, fmt::format("{} {}.", text, name_in_logs(unit)));
  };
  const bool mounts = is_mount(unit);
  const bool is_start = job.type == JobType::kStart;
  const bool is_stop = job.type == JobType::kStop || job.type == JobType::kRestart;
  switch (result) {
    case JobResult::kDone:
      if (is_start && unit.settings.name.type() == UnitType::kTarget)
        return say(6, "Reached target");
      // A condition that did not hold has said so already.
      if (is_start && unit.condition_result) {
        const bool is_oneshot = unit.settings.service->type == ServiceType::kOneshot;
        return say(6, mounts ? "Mounted" : unit.service && is_oneshot ? "Finished" : "Started");
      }
      if (is_stop) return say(6, mounts ? "Unmounted" : "Stopped");
      if (job.type == JobType::kReload) return say(6, "Reloaded");
      return;
    case JobResult::kFailed:
      if (is_start) return say(3, mounts ? "Failed to mount" : "Failed to start");
      if (is_stop && mounts) return say(3, "Failed unmounting");
      if (job.type == JobType::kReload) return say(3, "Reload failed for");
      return;
    case JobResult::kDependency:
      if (is_start) return say(4, "Dependency failed for");
      return;
    case JobResult::kTimeout:
      if (mounts) return say(3, is_start ? "Timed out mounting" : "Timed out unmounting");
      return say(3, is_start ? "Timed out starting" : "Timed out stopping");
    default:
      return;
  }
}

void Manager::Impl::clear_all_jobs() {
  for (const JobId id : jobs.ids()) finish(id, JobResult::kCanceled, Recursion::kThisOnly);
}

}  // namespace flotilla::init
