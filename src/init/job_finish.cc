#include "init/job_finish.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace flotilla::init {
namespace {

bool is_inactive_or_failed(ActiveState s) noexcept {
  return s == ActiveState::kInactive || s == ActiveState::kFailed;
}
bool is_inactive_or_deactivating(ActiveState s) noexcept {
  return is_inactive_or_failed(s) || s == ActiveState::kDeactivating;
}
bool is_active_or_reloading(ActiveState s) noexcept {
  return s == ActiveState::kActive || s == ActiveState::kReloading;
}
bool is_active_or_activating(ActiveState s) noexcept {
  return is_active_or_reloading(s) || s == ActiveState::kActivating;
}

ActiveState state_of(const TransactionView& view, UnitId unit) noexcept {
  return unit < view.active.size() ? view.active[unit] : ActiveState::kInactive;
}

using Kinds = std::span<const Dependency>;

// Whose start cannot be once the start of this one failed.
constexpr std::array kStartFailureReaches = {Dependency::kRequiredBy, Dependency::kRequisiteOf,
                                             Dependency::kBoundBy};
// ... once the stop of this one failed: those that wait for it because they conflict.
constexpr std::array kStopFailureReaches = {Dependency::kConflictedBy};
// ... once the start of this one is done and it is not there all the same.
constexpr std::array kInactiveStartReaches = {Dependency::kRequisiteOf};

Kinds failure_reaches(JobType type, JobResult result, ActiveState state) noexcept {
  if (result != JobResult::kDone) {
    if (type == JobType::kStart || type == JobType::kVerifyActive) return kStartFailureReaches;
    if (type == JobType::kStop) return kStopFailureReaches;
    return {};
  }
  // A skipped condition or a oneshot: the start is done, what wanted it to be active is not.
  const bool starts = type == JobType::kStart || type == JobType::kReload;
  if (starts && !is_active_or_reloading(state)) return kInactiveStartReaches;
  return {};
}

class Finisher {
 public:
  explicit Finisher(const TransactionView& view) : view_(view) {}

  JobFinish run(const Job& job, JobResult result, Recursion recursion) {
    if (result == JobResult::kDone && job.type == JobType::kRestart) {
      out_.continues_as_start = true;
      out_.look_again.push_back(job.unit);
      add_neighbours(job.unit);
      return finish();
    }
    out_.finished.push_back({job.id, result});
    // Grows while it is walked: each failed job may take others with it.
    for (size_t i = 0; i < out_.finished.size(); ++i) {
      const FinishedJob done = out_.finished[i];
      const Job& current = *view_.jobs.find(done.id);
      if (recursion == Recursion::kDependents) fail_dependents(current, done.result);
      if (done.result == JobResult::kTimeout || done.result == JobResult::kDependency) {
        out_.on_failure.push_back(current.unit);
      }
      add_neighbours(current.unit);
    }
    return finish();
  }

 private:
  void fail_dependents(const Job& job, JobResult result) {
    for (const Dependency kind : failure_reaches(job.type, result, state_of(view_, job.unit))) {
      for (const UnitId other : view_.graph.dependencies(job.unit, kind)) {
        const Job* theirs = view_.jobs.of_unit(other);
        if (theirs == nullptr || is_finished(theirs->id)) continue;
        if (theirs->type != JobType::kStart && theirs->type != JobType::kVerifyActive) continue;
        out_.finished.push_back({theirs->id, JobResult::kDependency});
      }
    }
  }

  bool is_finished(JobId id) const {
    return std::any_of(out_.finished.begin(), out_.finished.end(),
                       [id](const FinishedJob& done) { return done.id == id; });
  }

  void add_neighbours(UnitId unit) {
    for (const Dependency kind : {Dependency::kAfter, Dependency::kBefore}) {
      for (const UnitId other : view_.graph.dependencies(unit, kind)) {
        const Job* job = view_.jobs.of_unit(other);
        if (job != nullptr && job->state == JobState::kWaiting) out_.look_again.push_back(other);
      }
    }
  }

  JobFinish finish() {
    auto& again = out_.look_again;
    std::sort(again.begin(), again.end());
    again.erase(std::unique(again.begin(), again.end()), again.end());
    std::erase_if(again, [this](UnitId unit) {
      const Job* job = view_.jobs.of_unit(unit);
      return job == nullptr || is_finished(job->id);
    });
    return std::move(out_);
  }

  const TransactionView& view_;
  JobFinish out_;
};

}  // namespace

JobFinish finish_job(const TransactionView& view, JobId id, JobResult result, Recursion recursion) {
  return Finisher(view).run(*view.jobs.find(id), result, recursion);
}

JobVerdict judge_job(const Job* job, ActiveState now, ReloadOutcome reload) {
  JobVerdict verdict;
  if (job == nullptr) {
    verdict.unexpected = true;
    return verdict;
  }
  const bool running = job->state == JobState::kRunning;
  verdict.look_again = !running;
  const JobResult ended = now == ActiveState::kFailed ? JobResult::kFailed : JobResult::kDone;
  switch (job->type) {
    case JobType::kStart:
    case JobType::kVerifyActive:
      if (is_active_or_reloading(now)) {
        verdict.result = JobResult::kDone;
      } else if (running && now != ActiveState::kActivating) {
        verdict.unexpected = true;
        if (is_inactive_or_failed(now)) verdict.result = ended;
      }
      break;
    case JobType::kReload:
    case JobType::kReloadOrStart:
    case JobType::kTryReload:
      if (!running) break;
      if (now == ActiveState::kActive) {
        verdict.result = reload == ReloadOutcome::kFailed ? JobResult::kFailed : JobResult::kDone;
      } else if (now != ActiveState::kActivating && now != ActiveState::kReloading) {
        verdict.unexpected = true;
        if (is_inactive_or_failed(now)) verdict.result = ended;
      }
      break;
    case JobType::kStop:
    case JobType::kRestart:
    case JobType::kTryRestart:
      if (is_inactive_or_failed(now)) {
        verdict.result = JobResult::kDone;
      } else if (running && now != ActiveState::kDeactivating) {
        verdict.unexpected = true;
        verdict.result = JobResult::kFailed;
      }
      break;
    case JobType::kNop:
      break;
  }
  return verdict;
}

JobStart decide_job_start(JobType type, ActiveState state) noexcept {
  switch (type) {
    case JobType::kStart:
    case JobType::kReloadOrStart:
      if (is_active_or_reloading(state)) return JobStart::kFinishDone;
      return state == ActiveState::kMaintenance ? JobStart::kLater : JobStart::kRun;
    case JobType::kVerifyActive:
      if (is_active_or_reloading(state)) return JobStart::kFinishDone;
      return state == ActiveState::kActivating ? JobStart::kLater : JobStart::kFinishSkipped;
    case JobType::kStop:
    case JobType::kRestart:
    case JobType::kTryRestart:
      return is_inactive_or_failed(state) ? JobStart::kFinishDone : JobStart::kRun;
    case JobType::kReload:
    case JobType::kTryReload:
      if (state == ActiveState::kReloading) return JobStart::kLater;
      return state == ActiveState::kActive ? JobStart::kRun : JobStart::kFinishInvalid;
    case JobType::kNop:
      return JobStart::kFinishDone;
  }
  return JobStart::kFinishDone;
}

UnitId find_missing_binding(const TransactionView& view, UnitId unit) noexcept {
  for (const UnitId other : view.graph.dependencies(unit, Dependency::kBindsTo)) {
    if (!view.graph.has(unit, Dependency::kAfter, other)) continue;
    if (!is_active_or_reloading(state_of(view, other))) return other;
  }
  return kNoUnit;
}

namespace {

class ChangeRequests {
 public:
  ChangeRequests(const TransactionView& view, const StateChange& change)
      : view_(view), change_(change) {}

  std::vector<Consequence> run() {
    if (change_.unexpected) {
      if (is_inactive_or_failed(change_.before) && is_active_or_activating(change_.now)) {
        came_up();
      } else if (is_active_or_activating(change_.before) &&
                 is_inactive_or_deactivating(change_.now)) {
        went_down();
      }
    }
    if (!change_.will_auto_restart) ended();
    return std::move(out_);
  }

 private:
  void add(UnitId unit, JobType type, JobMode mode, Reason reason) {
    out_.push_back(Consequence{{unit, type, mode}, reason, change_.unit});
  }

  // What a job for it would have pulled in. What must be there before it is too late for.
  void came_up() {
    const auto start = [this](Dependency kind, JobMode mode) {
      for (const UnitId other : view_.graph.dependencies(change_.unit, kind)) {
        if (view_.graph.has(change_.unit, Dependency::kAfter, other)) continue;
        if (is_active_or_activating(state_of(view_, other))) continue;
        add(other, JobType::kStart, mode, Reason::kRetroactive);
      }
    };
    start(Dependency::kRequires, JobMode::kReplace);
    start(Dependency::kBindsTo, JobMode::kReplace);
    start(Dependency::kUpholds, JobMode::kReplace);
    start(Dependency::kWants, JobMode::kFail);
    stop_others(Dependency::kConflicts);
    stop_others(Dependency::kConflictedBy);
  }

  void went_down() {
    stop_others(Dependency::kBoundBy);
    stop_others(Dependency::kPropagatesStopTo);
  }

  void stop_others(Dependency kind) {
    for (const UnitId other : view_.graph.dependencies(change_.unit, kind)) {
      if (is_inactive_or_deactivating(state_of(view_, other))) continue;
      add(other, JobType::kStop, JobMode::kReplace, Reason::kRetroactive);
    }
  }

  void ended() {
    if (change_.now == change_.before) return;
    if (change_.now == ActiveState::kFailed) {
      for (const UnitId other : view_.graph.dependencies(change_.unit, Dependency::kOnFailure)) {
        add(other, JobType::kStart, view_.graph.facts(change_.unit).on_failure_mode,
            Reason::kOnFailure);
      }
    } else if (change_.now == ActiveState::kInactive && change_.before != ActiveState::kFailed &&
               change_.before != ActiveState::kMaintenance) {
      for (const UnitId other : view_.graph.dependencies(change_.unit, Dependency::kOnSuccess)) {
        add(other, JobType::kStart, view_.graph.facts(change_.unit).on_success_mode,
            Reason::kOnSuccess);
      }
    }
  }

  const TransactionView& view_;
  const StateChange& change_;
  std::vector<Consequence> out_;
};

constexpr std::array kNeeds = {Dependency::kRequires, Dependency::kRequisite, Dependency::kWants,
                               Dependency::kBindsTo, Dependency::kUpholds};
constexpr std::array kNeededBy = {Dependency::kRequiredBy, Dependency::kRequisiteOf,
                                  Dependency::kWantedBy, Dependency::kBoundBy,
                                  Dependency::kUpheldBy};

bool is_unneeded(const TransactionView& view, UnitId unit, const std::vector<bool>& restarting) {
  if (!view.graph.facts(unit).stop_when_unneeded) return false;
  if (state_of(view, unit) != ActiveState::kActive || view.jobs.of_unit(unit) != nullptr) {
    return false;
  }
  for (const Dependency kind : kNeededBy) {
    for (const UnitId other : view.graph.dependencies(unit, kind)) {
      const bool is_busy = view.jobs.of_unit(other) != nullptr ||
                           !is_inactive_or_failed(state_of(view, other)) ||
                           (other < restarting.size() && restarting[other]);
      if (is_busy) return false;
    }
  }
  return true;
}

UnitId find_inactive_binding(const TransactionView& view, UnitId unit) {
  if (state_of(view, unit) != ActiveState::kActive || view.jobs.of_unit(unit) != nullptr) {
    return kNoUnit;
  }
  for (const UnitId other : view.graph.dependencies(unit, Dependency::kBindsTo)) {
    if (view.jobs.of_unit(other) != nullptr) continue;
    if (is_inactive_or_failed(state_of(view, other))) return other;
  }
  return kNoUnit;
}

UnitId find_upholder(const TransactionView& view, UnitId unit) {
  if (!is_inactive_or_failed(state_of(view, unit)) || view.jobs.of_unit(unit) != nullptr) {
    return kNoUnit;
  }
  for (const UnitId other : view.graph.dependencies(unit, Dependency::kUpheldBy)) {
    if (view.jobs.of_unit(other) != nullptr) continue;
    if (is_active_or_reloading(state_of(view, other))) return other;
  }
  return kNoUnit;
}

}  // namespace

std::vector<Consequence> requests_of_change(const TransactionView& view,
                                            const StateChange& change) {
  return ChangeRequests(view, change).run();
}

std::vector<UnitId> units_to_settle(const TransactionView& view, const StateChange& change) {
  std::vector<UnitId> units{change.unit};
  const auto add = [&](Dependency kind) {
    const EdgeList& others = view.graph.dependencies(change.unit, kind);
    units.insert(units.end(), others.begin(), others.end());
  };
  if (is_inactive_or_deactivating(change.now)) {
    for (const Dependency kind : kNeeds) add(kind);
    add(Dependency::kBoundBy);
  } else if (is_active_or_reloading(change.now)) {
    add(Dependency::kUpholds);
  }
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  return units;
}

std::optional<Consequence> settle_unit(const TransactionView& view, UnitId unit,
                                       const std::vector<bool>& restarting) {
  if (const UnitId culprit = find_inactive_binding(view, unit); culprit != kNoUnit) {
    return Consequence{{unit, JobType::kStop, JobMode::kReplace}, Reason::kBound, culprit};
  }
  if (is_unneeded(view, unit, restarting)) {
    return Consequence{{unit, JobType::kStop, JobMode::kFail}, Reason::kUnneeded, unit};
  }
  if (const UnitId culprit = find_upholder(view, unit); culprit != kNoUnit) {
    return Consequence{{unit, JobType::kStart, JobMode::kFail}, Reason::kUpheld, culprit};
  }
  return std::nullopt;
}

std::string text_of(const UnitGraph& graph, const Consequence& consequence) {
  switch (consequence.reason) {
    case Reason::kOnFailure:
      return "Triggering OnFailure= dependencies.";
    case Reason::kOnSuccess:
      return "Triggering OnSuccess= dependencies.";
    case Reason::kUnneeded:
      return "Unit is not needed anymore.";
    case Reason::kBound:
      return fmt::format("Unit is stopped because bound to inactive unit {}.",
                         graph.id(consequence.cause));
    case Reason::kUpheld:
      return fmt::format("Unit is started because upheld by active unit {}.",
                         graph.id(consequence.cause));
    case Reason::kRetroactive:
      break;
  }
  return fmt::format("Unit follows {}.", graph.id(consequence.cause));
}

}  // namespace flotilla::init
