#include "init/job.h"

#include <algorithm>
#include <array>

#include "base/release_room.h"

namespace flotilla::init {
namespace {

constexpr std::array<std::string_view, 9> kTypeNames = {
    "start",       "verify-active",   "stop",      "reload", "restart", "nop",
    "try-restart", "reload-or-start", "try-reload"};
constexpr std::array<std::string_view, 2> kStateNames = {"waiting", "running"};
constexpr std::array<std::string_view, 8> kModeNames = {"fail",
                                                        "replace",
                                                        "replace-irreversibly",
                                                        "isolate",
                                                        "flush",
                                                        "ignore-dependencies",
                                                        "ignore-requirements",
                                                        "triggering"};
constexpr std::array<std::string_view, 11> kResultNames = {
    "done",    "canceled", "timeout",     "failed",    "dependency", "skipped",
    "invalid", "assert",   "unsupported", "collected", "once"};

template <typename Enum, size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names,
                              std::string_view name) noexcept {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

bool is_inactive_or_failed(ActiveState state) noexcept {
  return state == ActiveState::kInactive || state == ActiveState::kFailed;
}

bool is_inactive_or_deactivating(ActiveState state) noexcept {
  return is_inactive_or_failed(state) || state == ActiveState::kDeactivating;
}

bool is_active_or_reloading(ActiveState state) noexcept {
  return state == ActiveState::kActive || state == ActiveState::kReloading;
}

// Where one of the two does all that the other does, the stronger one; of start and reload, a start
// if there is nothing to reload.
std::optional<JobType> merge_ordered(JobType weak, JobType strong) noexcept {
  if (strong == JobType::kStop) return std::nullopt;
  if (weak == JobType::kStop) return std::nullopt;
  switch (weak) {
    case JobType::kStart:
      if (strong == JobType::kVerifyActive) return JobType::kStart;
      if (strong == JobType::kReload) return JobType::kReloadOrStart;
      if (strong == JobType::kRestart) return JobType::kRestart;
      return std::nullopt;
    case JobType::kVerifyActive:
      if (strong == JobType::kReload) return JobType::kReload;
      if (strong == JobType::kRestart) return JobType::kRestart;
      return std::nullopt;
    case JobType::kReload:
      if (strong == JobType::kRestart) return JobType::kRestart;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view to_string(JobType type) noexcept { return kTypeNames[static_cast<size_t>(type)]; }
std::string_view to_string(JobState state) noexcept {
  return kStateNames[static_cast<size_t>(state)];
}
std::string_view to_string(JobMode mode) noexcept { return kModeNames[static_cast<size_t>(mode)]; }
std::string_view to_string(JobResult result) noexcept {
  return kResultNames[static_cast<size_t>(result)];
}
std::optional<JobType> parse_job_type(std::string_view name) noexcept {
  return find_name<JobType>(kTypeNames, name);
}
std::optional<JobMode> parse_job_mode(std::string_view name) noexcept {
  return find_name<JobMode>(kModeNames, name);
}

std::optional<JobType> merge(JobType a, JobType b) noexcept {
  if (a == b) return a;
  if (a == JobType::kNop) return b;
  if (b == JobType::kNop) return a;
  return a < b ? merge_ordered(a, b) : merge_ordered(b, a);
}

JobType collapse(JobType type, ActiveState state) noexcept {
  const bool is_down = is_inactive_or_deactivating(state);
  switch (type) {
    case JobType::kTryRestart:
      return is_down ? JobType::kNop : JobType::kRestart;
    case JobType::kTryReload:
      return is_down ? JobType::kNop : JobType::kReload;
    case JobType::kReloadOrStart:
      // What is still on its way up goes on with that, and needs no reload.
      return is_active_or_reloading(state) ? JobType::kReload : JobType::kStart;
    default:
      return type;
  }
}

std::optional<JobType> merge_and_collapse(JobType a, JobType b, ActiveState state) noexcept {
  const auto merged = merge(a, b);
  if (!merged) return std::nullopt;
  return collapse(*merged, state);
}

bool is_redundant(JobType type, ActiveState state) noexcept {
  switch (type) {
    case JobType::kStart:
    case JobType::kVerifyActive:
      return is_active_or_reloading(state);
    case JobType::kStop:
      return is_inactive_or_failed(state);
    case JobType::kReload:
      return state == ActiveState::kReloading;
    case JobType::kNop:
      return true;
    default:
      // A restart is never done already: even a unit that is coming up just now may have seen what
      // was before.
      return false;
  }
}

bool is_applicable(JobType type, const UnitGraph& graph, UnitId id) noexcept {
  const UnitFacts& unit = graph.facts(id);
  switch (type) {
    case JobType::kStart:
    case JobType::kVerifyActive:
    case JobType::kNop:
      // Also where we cannot start it: it may come up by itself, and the job waits for that.
      return true;
    case JobType::kStop:
      return !unit.perpetual;
    case JobType::kRestart:
    case JobType::kTryRestart:
      return unit.can_stop && unit.can_start && !unit.perpetual;
    case JobType::kReload:
    case JobType::kTryReload:
      return graph.can_reload(id);
    case JobType::kReloadOrStart:
      return graph.can_reload(id) && unit.can_start;
  }
  return false;
}

// --- JobTable ---

namespace {

bool id_below(const Job& job, JobId id) noexcept { return job.id < id; }

JobId slot_at(const std::vector<JobId>& slots, UnitId unit) noexcept {
  return unit < slots.size() ? slots[unit] : 0;
}

}  // namespace

Job* JobTable::find_mutable(JobId id) noexcept {
  const auto found = std::lower_bound(jobs_.begin(), jobs_.end(), id, id_below);
  if (found == jobs_.end() || found->id != id || found->unit == kNoUnit) return nullptr;
  return &*found;
}

const Job* JobTable::find(JobId id) const noexcept {
  return const_cast<JobTable*>(this)->find_mutable(id);
}

const Job* JobTable::of_unit(UnitId unit) const noexcept {
  const JobId id = slot_at(by_unit_, unit);
  return id == 0 ? nullptr : find(id);
}

const Job* JobTable::nop_of_unit(UnitId unit) const noexcept {
  const JobId id = slot_at(nop_by_unit_, unit);
  return id == 0 ? nullptr : find(id);
}

void JobTable::insert(const Job& job) {
  auto& slots = slots_of(job.type);
  if (slots.size() <= job.unit) slots.resize(job.unit + size_t{1}, 0);
  const auto place = jobs_.empty() || jobs_.back().id < job.id
                         ? jobs_.end()
                         : std::lower_bound(jobs_.begin(), jobs_.end(), job.id, id_below);
  if (place != jobs_.end() && place->id == job.id) {
    *place = job;
  } else {
    jobs_.insert(place, job);
  }
  slots[job.unit] = job.id;
  ++size_;
}

JobTable::Installed JobTable::install(const Job& job, ActiveState state) {
  Installed out;
  const JobId present = slot_at(slots_of(job.type), job.unit);
  if (present != 0) {
    Job& old = *find_mutable(present);
    const auto merged = merge_and_collapse(old.type, job.type, state);
    if (merged) {
      // A running reload may have read its files before the new request was made; everything else
      // that already does what is asked simply goes on.
      const bool absorbs = job.type != JobType::kReload && merge(old.type, job.type) == old.type;
      if (old.state == JobState::kRunning && !absorbs) {
        old.state = JobState::kWaiting;
        out.runs_again = true;
      }
      old.type = *merged;
      old.irreversible |= job.irreversible;
      old.ignore_order |= job.ignore_order;
      out.id = old.id;
      return out;
    }
    out.replaced = remove(present);
  }
  Job fresh = job;
  if (fresh.id == 0) fresh.id = next_id_;
  next_id_ = std::max(next_id_, fresh.id + 1);
  fresh.state = JobState::kWaiting;
  insert(fresh);
  out.id = fresh.id;
  out.is_new = true;
  return out;
}

void JobTable::reserve_ids(const std::vector<JobId>& ids) {
  for (const JobId id : ids) {
    if (!jobs_.empty() && id <= jobs_.back().id) continue;
    jobs_.emplace_back().id = id;
  }
}

void JobTable::shrink_to_fit() {
  if (size_ != 0) return;
  base::release_room(jobs_);
  base::release_room(by_unit_);
  base::release_room(nop_by_unit_);
}

void JobTable::restore(const Job& job) {
  insert(job);
  next_id_ = std::max(next_id_, job.id + 1);
}

std::optional<Job> JobTable::remove(JobId id) {
  Job* job = find_mutable(id);
  if (job == nullptr) return std::nullopt;
  const Job out = *job;
  slots_of(out.type)[out.unit] = 0;
  // The place stays until enough are free: removing in any order costs the same.
  job->unit = kNoUnit;
  --size_;
  if (jobs_.size() > 2 * size_ + 16) {
    std::erase_if(jobs_, [](const Job& j) { return j.unit == kNoUnit; });
  }
  return out;
}

void JobTable::set_state(JobId id, JobState state) noexcept {
  if (Job* job = find_mutable(id)) job->state = state;
}

void JobTable::continue_as_start(JobId id) noexcept {
  if (Job* job = find_mutable(id)) {
    job->type = JobType::kStart;
    job->state = JobState::kWaiting;
  }
}

std::vector<JobId> JobTable::ids() const {
  std::vector<JobId> out;
  out.reserve(size_);
  for (const Job& job : jobs_) {
    if (job.unit != kNoUnit) out.push_back(job.id);
  }
  return out;
}

// --- Order ---

int compare_order(const Job& a, const Job& b, Dependency a_to_b) noexcept {
  if (a.type == JobType::kNop || b.type == JobType::kNop) return 0;
  if (a.ignore_order || b.ignore_order) return 0;
  if (a_to_b == Dependency::kAfter) return -compare_order(b, a, Dependency::kBefore);
  // A restart is a stop until it becomes a start.
  return b.type == JobType::kStop || b.type == JobType::kRestart ? 1 : -1;
}

bool job_is_runnable(const UnitGraph& graph, const JobTable& jobs, const Job& job) noexcept {
  if (job.ignore_order || job.type == JobType::kNop) return true;
  for (const Dependency kind : {Dependency::kAfter, Dependency::kBefore}) {
    for (const UnitId other : graph.dependencies(job.unit, kind)) {
      const Job* before = jobs.of_unit(other);
      if (before != nullptr && compare_order(job, *before, kind) > 0) return false;
    }
  }
  return true;
}

}  // namespace flotilla::init
