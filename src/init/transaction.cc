#include "init/transaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "init/transaction_set.h"

namespace flotilla::init {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

constexpr std::string_view kPrefix = "org.freedesktop.systemd1.";
constexpr std::string_view kNotApplicable = "JobTypeNotApplicable";

base::Unexpected fail(Errc code, std::string_view name, std::string text) {
  return base::unexpected(Error{code, std::move(text), 0, std::string(kPrefix).append(name)});
}

bool is_not_applicable(const Error& error) {
  return std::string_view(error.bus_name).ends_with(kNotApplicable);
}

// How one kind of dependency carries a job on.
struct Pull {
  Dependency kind;
  JobType type;    // collapsed by the state of the unit it reaches; a nop is not pulled in
  bool matters;    // without it the puller cannot be
  bool conflicts;  // the stop of a Conflicts=
  bool tolerant;   // an error is the pulled unit's own business
};

constexpr std::array kStartPulls = {
    Pull{Dependency::kRequires, JobType::kStart, true, false, false},
    Pull{Dependency::kBindsTo, JobType::kStart, true, false, false},
    Pull{Dependency::kWants, JobType::kStart, false, false, true},
    Pull{Dependency::kUpholds, JobType::kStart, false, false, true},
    Pull{Dependency::kRequisite, JobType::kVerifyActive, true, false, false},
    Pull{Dependency::kConflicts, JobType::kStop, true, true, false},
    Pull{Dependency::kConflictedBy, JobType::kStop, false, false, true},
};
constexpr std::array kStopPulls = {
    Pull{Dependency::kRequiredBy, JobType::kStop, true, false, false},
    Pull{Dependency::kRequisiteOf, JobType::kStop, true, false, false},
    Pull{Dependency::kBoundBy, JobType::kStop, true, false, false},
    Pull{Dependency::kConsistsOf, JobType::kStop, true, false, false},
    Pull{Dependency::kPropagatesStopTo, JobType::kStop, true, false, false},
};
constexpr std::array kRestartPulls = {
    kStartPulls[0],
    kStartPulls[1],
    kStartPulls[2],
    kStartPulls[3],
    kStartPulls[4],
    kStartPulls[5],
    kStartPulls[6],
    // What is not around is not started for it.
    Pull{Dependency::kRequiredBy, JobType::kTryRestart, true, false, false},
    Pull{Dependency::kRequisiteOf, JobType::kTryRestart, true, false, false},
    Pull{Dependency::kBoundBy, JobType::kTryRestart, true, false, false},
    Pull{Dependency::kConsistsOf, JobType::kTryRestart, true, false, false},
};
constexpr std::array kReloadPulls = {
    Pull{Dependency::kPropagatesReloadTo, JobType::kTryReload, false, false, true},
};

std::span<const Pull> pulls_of(JobType type) {
  switch (type) {
    case JobType::kStart:
      return kStartPulls;
    case JobType::kStop:
      return kStopPulls;
    case JobType::kRestart:
      return kRestartPulls;
    case JobType::kReload:
      return kReloadPulls;
    default:
      return {};
  }
}

class Builder {
 public:
  Builder(const TransactionView& view, const JobRequest& request,
          std::vector<std::string>& warnings)
      : view_(view),
        request_(request),
        warnings_(warnings),
        set_(view, request.mode == JobMode::kReplaceIrreversibly) {}

  Result<Plan> build();

 private:
  // The jobs one job pulls in, as far as that has come.
  struct Frame {
    SetIndex job;
    size_t rule = 0;
    size_t position = 0;
  };

  Status check_request() const;
  Result<TransactionSet::Added> add_one(UnitId unit, JobType type);
  Status add_with_dependencies(UnitId unit, JobType type, const Pull* by, SetIndex subject);
  Status pull_in(SetIndex first);
  bool forgive(const Pull& rule, const Error& error);
  void add_isolate_jobs();
  bool stops_on_isolate(UnitId unit, std::vector<int8_t>& known) const;
  void minimize_impact();
  void drop_redundant();
  Status break_cycles();
  Status merge_jobs();
  Status check_destructive() const;
  Plan make_plan();
  bool contradicts_installed(const Job& job) const;
  bool has_anchor_only_rules() const {
    return request_.mode == JobMode::kIgnoreDependencies ||
           request_.mode == JobMode::kIgnoreRequirements;
  }

  const TransactionView& view_;
  const JobRequest& request_;
  std::vector<std::string>& warnings_;
  TransactionSet set_;
  bool has_merged_ = false;
};

Status Builder::check_request() const {
  if (request_.mode == JobMode::kIsolate) {
    if (request_.type != JobType::kStart) return base::invalid("Isolate is only valid for start.");
    if (!view_.graph.facts(request_.unit).allow_isolate) {
      return fail(Errc::kConflict, "NoIsolation", "Operation refused, unit may not be isolated.");
    }
  }
  if (request_.mode == JobMode::kTriggering && request_.type != JobType::kStop) {
    return base::invalid("--job-mode=triggering is only valid for stop.");
  }
  return {};
}

Result<TransactionSet::Added> Builder::add_one(UnitId unit, JobType type) {
  // Anything may be stopped; all else needs the unit's files.
  if (type != JobType::kStop) FLOTILLA_TRY(check_load_state(view_.graph, unit));
  if (!is_applicable(type, view_.graph, unit)) {
    return fail(Errc::kConflict, kNotApplicable,
                fmt::format("Job type {} is not applicable for unit {}.", to_string(type),
                            view_.graph.id(unit)));
  }
  return set_.add(unit, type);
}

Status Builder::add_with_dependencies(UnitId unit, JobType type, const Pull* by, SetIndex subject) {
  FLOTILLA_ASSIGN(const TransactionSet::Added added, add_one(unit, type));
  if (request_.mode == JobMode::kIgnoreDependencies) set_[added.index].job.ignore_order = true;
  if (by != nullptr) set_.link(subject, added.index, by->matters, by->conflicts);
  const bool alone = by == nullptr && has_anchor_only_rules();
  if (!added.is_new || alone) return {};
  return pull_in(added.index);
}

// Whether the job that pulls can go on without the one that could not be added.
bool Builder::forgive(const Pull& rule, const Error& error) {
  if (is_not_applicable(error)) return true;
  if (!rule.tolerant) return false;
  const std::string_view name = error.bus_name;
  if (!name.ends_with("NoSuchUnit") && !name.ends_with("UnitMasked")) {
    warnings_.push_back(fmt::format("Cannot add dependency job, ignoring: {}", error.message));
  }
  return true;
}

Status Builder::pull_in(SetIndex first) {
  std::vector<Frame> frames{Frame{first}};
  while (!frames.empty()) {
    Frame& frame = frames.back();
    const Job job = set_[frame.job].job;
    const auto rules = pulls_of(job.type);
    if (frame.rule == rules.size()) {
      frames.pop_back();
      continue;
    }
    const Pull& rule = rules[frame.rule];
    const EdgeList& others = view_.graph.dependencies(job.unit, rule.kind);
    if (frame.position == others.size()) {
      ++frame.rule;
      frame.position = 0;
      continue;
    }
    const UnitId other = others[frame.position++];
    const JobType type = collapse(rule.type, set_.active(other));
    if (type == JobType::kNop) continue;
    auto added = add_one(other, type);
    if (added) {
      set_.link(frame.job, added->index, rule.matters, rule.conflicts);
      if (job.ignore_order) set_[added->index].job.ignore_order = true;
      if (added->is_new) frames.push_back(Frame{added->index});
      continue;
    }
    // The error goes up to the first job that can do without what failed.
    while (!frames.empty()) {
      const Frame& failed = frames.back();
      if (forgive(pulls_of(set_[failed.job].job.type)[failed.rule], added.error())) break;
      frames.pop_back();
    }
    if (frames.empty()) return base::unexpected(std::move(added).error());
  }
  return {};
}

// What an isolated unit does not need goes, unless something that stays would trigger it again.
bool Builder::stops_on_isolate(UnitId unit, std::vector<int8_t>& known) const {
  if (known[unit] >= 0) return known[unit] == 1;
  known[unit] = 1;  // also ends a ring of triggers
  bool stops = !view_.graph.facts(unit).ignore_on_isolate && set_.first_of(unit) == kNone;
  for (const UnitId trigger : view_.graph.dependencies(unit, Dependency::kTriggeredBy)) {
    if (!stops) break;
    stops = stops_on_isolate(trigger, known);
  }
  known[unit] = stops ? 1 : 0;
  return stops;
}

void Builder::add_isolate_jobs() {
  std::vector<int8_t> known(view_.graph.limit(), -1);
  std::vector<UnitId> stopping;
  for (UnitId unit = 0; unit < view_.graph.limit(); ++unit) {
    if (view_.graph.exists(unit) && stops_on_isolate(unit, known)) stopping.push_back(unit);
  }
  constexpr Pull kIsolated{Dependency::kCount, JobType::kStop, true, false, true};
  for (const UnitId unit : stopping) {
    const bool is_down = is_redundant(JobType::kStop, set_.active(unit));
    if (is_down && view_.jobs.of_unit(unit) == nullptr) continue;
    if (set_.first_of(unit) != kNone) continue;
    const Status added = add_with_dependencies(unit, JobType::kStop, &kIsolated, set_.anchor());
    if (!added && !is_not_applicable(added.error())) {
      warnings_.push_back(
          fmt::format("Cannot add isolate job, ignoring: {}", added.error().message));
    }
  }
}

bool Builder::contradicts_installed(const Job& job) const {
  if (job.type == JobType::kNop) return false;
  const Job* installed = view_.jobs.of_unit(job.unit);
  return installed != nullptr && is_conflicting(installed->type, job.type);
}

// Mode "fail": rather leave an inessential job out than stop a running unit or turn a job round.
void Builder::minimize_impact() {
  for (SetIndex i = 0; i < set_.limit(); ++i) {
    const SetJob& entry = set_[i];
    if (entry.deleted || entry.matters) continue;
    const ActiveState active = set_.active(entry.job.unit);
    const bool stops_running =
        entry.job.type == JobType::kStop &&
        (active == ActiveState::kActive || active == ActiveState::kReloading ||
         active == ActiveState::kActivating);
    if (stops_running || contradicts_installed(entry.job)) {
      set_.remove(i, TransactionSet::Cascade::kDependents);
    }
  }
}

// Units all of whose jobs have nothing to do leave the transaction.
void Builder::drop_redundant() {
  for (SetIndex i = 0; i < set_.limit(); ++i) {
    if (set_[i].deleted) continue;
    const UnitId unit = set_[i].job.unit;
    bool keep = false;
    for (SetIndex k = set_.first_of(unit); k != kNone; k = set_[k].next_of_unit) {
      keep |= k == set_.anchor() || !is_redundant(set_[k].job.type, set_.active(unit)) ||
              contradicts_installed(set_[k].job);
    }
    if (!keep) set_.remove(i, TransactionSet::Cascade::kThisOnly);
  }
}

Status Builder::break_cycles() {
  for (;;) {
    if (request_.mode != JobMode::kIsolate) set_.remove_unwanted();
    switch (verify_order(set_, warnings_)) {
      case OrderVerdict::kSound:
        return {};
      case OrderVerdict::kBrokeCycle:
        break;
      case OrderVerdict::kUnfixable:
        return fail(Errc::kConflict, "TransactionOrderIsCyclic",
                    "Transaction order is cyclic. See system logs for details.");
    }
  }
}

// Of two contradicting jobs, the one to do without; kNone if both are essential.
SetIndex choose_victim(const TransactionSet& set, SetIndex a, SetIndex b) {
  const bool a_matters = set[a].matters;
  const bool b_matters = set[b].matters;
  if (a_matters && b_matters) return kNone;
  if (a_matters) return b;
  if (b_matters) return a;
  // Rather keep a unit running than stop it, but where another unit conflicts with it.
  if (set[a].job.type == JobType::kStop) return set.is_conflicted(a) ? b : a;
  if (set[b].job.type == JobType::kStop) return set.is_conflicted(b) ? a : b;
  return a;
}

// One job a unit. Dropping one of two that contradict each other may make others superfluous.
Status Builder::merge_jobs() {
  for (SetIndex i = 0; i < set_.limit(); ++i) {
    const UnitId unit = set_[i].job.unit;
    // Each unit once: at its newest job.
    if (set_[i].deleted || set_.first_of(unit) != i) continue;
    JobType type = set_[i].job.type;
    for (SetIndex k = set_[i].next_of_unit; k != kNone; k = set_[k].next_of_unit) {
      const auto merged = merge_and_collapse(type, set_[k].job.type, set_.active(unit));
      if (merged) {
        type = *merged;
        continue;
      }
      SetIndex victim = kNone;
      for (SetIndex a = i; a != kNone && victim == kNone; a = set_[a].next_of_unit) {
        for (SetIndex b = set_[a].next_of_unit; b != kNone; b = set_[b].next_of_unit) {
          if (!is_conflicting(set_[a].job.type, set_[b].job.type)) continue;
          victim = choose_victim(set_, a, b);
          break;
        }
      }
      if (victim == kNone) {
        return fail(
            Errc::kConflict, "TransactionJobsConflicting",
            fmt::format("Transaction contains conflicting jobs '{}' and '{}' for {}. "
                        "Probably contradicting requirement dependencies configured.",
                        to_string(type), to_string(set_[k].job.type), view_.graph.id(unit)));
      }
      has_merged_ = true;
      set_.remove(victim, TransactionSet::Cascade::kDependents);
      if (request_.mode != JobMode::kIsolate) set_.remove_unwanted();
      return merge_jobs();
    }
  }
  for (SetIndex i = 0; i < set_.limit(); ++i) {
    if (set_[i].deleted) continue;
    const UnitId unit = set_[i].job.unit;
    for (;;) {
      const SetIndex a = set_.first_of(unit);
      const SetIndex b = set_[a].next_of_unit;
      if (b == kNone) break;
      has_merged_ = true;
      const JobType type =
          *merge_and_collapse(set_[a].job.type, set_[b].job.type, set_.active(unit));
      if (b == set_.anchor()) {
        set_.merge(b, a, type);
      } else {
        set_.merge(a, b, type);
      }
    }
  }
  return {};
}

Status Builder::check_destructive() const {
  for (SetIndex i = 0; i < set_.limit(); ++i) {
    const Job& job = set_[i].job;
    if (set_[i].deleted || !contradicts_installed(job)) continue;
    const Job* installed = view_.jobs.of_unit(job.unit);
    if (request_.mode != JobMode::kFail && !installed->irreversible) continue;
    const Job& anchor = set_[set_.anchor()].job;
    return fail(
        Errc::kConflict, "TransactionIsDestructive",
        fmt::format("Transaction for {}/{} is destructive ({} has '{}' job queued, but '{}' "
                    "is included in transaction).",
                    view_.graph.id(anchor.unit), to_string(anchor.type), view_.graph.id(job.unit),
                    to_string(installed->type), to_string(job.type)));
  }
  return {};
}

Plan Builder::make_plan() {
  Plan plan;
  plan.next_id = view_.jobs.next_id() + set_.limit();
  for (const SetIndex index : ordered(set_)) {
    if (index == set_.anchor()) plan.anchor = plan.jobs.size();
    plan.jobs.push_back(set_[index].job);
  }
  if (request_.mode != JobMode::kIsolate && request_.mode != JobMode::kFlush) return plan;
  for (const JobId id : view_.jobs.ids()) {
    const UnitId unit = view_.jobs.find(id)->unit;
    if (request_.mode == JobMode::kIsolate && view_.graph.facts(unit).ignore_on_isolate) continue;
    if (set_.first_of(unit) == kNone) plan.cancel.push_back(id);
  }
  return plan;
}

Result<Plan> Builder::build() {
  FLOTILLA_TRY(check_request());
  const JobType type = collapse(request_.type, set_.active(request_.unit));
  FLOTILLA_TRY(add_with_dependencies(request_.unit, type, nullptr, kNone));
  if (request_.mode == JobMode::kIsolate) add_isolate_jobs();
  if (request_.mode == JobMode::kTriggering) {
    constexpr Pull kTrigger{Dependency::kTriggeredBy, JobType::kStop, true, false, true};
    for (const UnitId unit : view_.graph.dependencies(request_.unit, Dependency::kTriggeredBy)) {
      if (set_.first_of(unit) != kNone) continue;
      const Status added = add_with_dependencies(unit, JobType::kStop, &kTrigger, set_.anchor());
      if (!added && !is_not_applicable(added.error())) {
        warnings_.push_back(
            fmt::format("Cannot add triggered by job, ignoring: {}", added.error().message));
      }
    }
  }
  set_.mark_matters();
  if (request_.mode == JobMode::kFail) minimize_impact();
  drop_redundant();
  FLOTILLA_TRY(break_cycles());
  FLOTILLA_TRY(merge_jobs());
  // The order depends on the types, and some are others now.
  if (has_merged_) FLOTILLA_TRY(break_cycles());
  drop_redundant();
  FLOTILLA_TRY(check_destructive());
  return make_plan();
}

}  // namespace

Result<Plan> build_transaction(const TransactionView& view, const JobRequest& request,
                               std::vector<std::string>* warnings) {
  std::vector<std::string> lines;
  auto plan = Builder(view, request, lines).build();
  if (plan) plan->warnings = lines;
  if (warnings != nullptr) *warnings = std::move(lines);
  return plan;
}

Status check_load_state(const UnitGraph& graph, UnitId unit) {
  const UnitFacts& facts = graph.facts(unit);
  const std::string& id = graph.id(unit);
  const auto named = [&facts](std::string_view usual) {
    const std::string_view name = facts.load_error->bus_name;
    return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : usual;
  };
  switch (facts.load_state) {
    case LoadState::kLoaded:
      return {};
    case LoadState::kNotFound:
      return fail(Errc::kNotFound, "NoSuchUnit", fmt::format("Unit {} not found.", id));
    case LoadState::kBadSetting:
      return fail(Errc::kConflict, named("BadUnitSetting"),
                  fmt::format("Unit {} has a bad unit file setting.", id));
    case LoadState::kError:
      // The loader says it all, with a name of its own.
      if (!facts.load_error->bus_name.empty() && !facts.load_error->bus_name.starts_with(kPrefix)) {
        return base::unexpected(
            {Errc::kConflict, facts.load_error->text, 0, facts.load_error->bus_name});
      }
      return fail(Errc::kConflict, named("LoadFailed"),
                  fmt::format("Unit {} failed to load properly, please adjust/correct and reload "
                              "service manager: {}",
                              id, facts.load_error->text));
    case LoadState::kMasked:
      return fail(Errc::kConflict, "UnitMasked", fmt::format("Unit {} is masked.", id));
    case LoadState::kStub:
    case LoadState::kMerged:
      break;
  }
  return fail(Errc::kConflict, "LoadFailed", fmt::format("Unit {} is not loaded properly.", id));
}

Status check_manual_request(const TransactionView& view, UnitId unit, JobType type) {
  const UnitFacts& facts = view.graph.facts(unit);
  const ActiveState state = unit < view.active.size() ? view.active[unit] : ActiveState::kInactive;
  const bool starts = type == JobType::kStart || type == JobType::kRestart ||
                      type == JobType::kTryRestart ||
                      (type == JobType::kReloadOrStart && collapse(type, state) == JobType::kStart);
  const bool stops =
      type == JobType::kStop || type == JobType::kRestart || type == JobType::kTryRestart;
  if ((starts && facts.refuse_manual_start) || (stops && facts.refuse_manual_stop)) {
    return fail(Errc::kConflict, "OnlyByDependency",
                fmt::format("Operation refused, unit {} may be requested by dependency only (it is "
                            "configured to refuse manual start/stop).",
                            view.graph.id(unit)));
  }
  return {};
}

JobType reload_if_possible(const UnitGraph& graph, UnitId unit, JobType type) noexcept {
  if (!graph.can_reload(unit)) return type;
  if (type == JobType::kRestart) return JobType::kReloadOrStart;
  if (type == JobType::kTryRestart) return JobType::kTryReload;
  return type;
}

}  // namespace flotilla::init
