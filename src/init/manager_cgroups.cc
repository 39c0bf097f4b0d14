// The cgroups of units: what their settings say about them, freezing, and what they tell.
#include <algorithm>
#include <charconv>
#include <utility>

#include "init/cgroup_plan.h"
#include "init/manager_impl.h"
#include "init/process_list.h"

namespace flotilla::init {
namespace {

using base::Errc;
using base::Status;
using unit::UnitType;

const CgroupSettings& settings_of(const Unit& unit) {
  return unit.settings.extras->cgroup ? *unit.settings.extras->cgroup : default_cgroup_settings();
}

bool may_have_cgroup(const Unit& unit) {
  const UnitType type = unit.settings.name.type();
  return type == UnitType::kService || type == UnitType::kSlice || type == UnitType::kScope ||
         (type == UnitType::kMount && unit.service);
}

// The slices around it, the outermost first.
std::vector<std::string> slices_around(const Unit& unit) {
  std::vector<std::string> slices;
  for (std::string slice = slice_of(unit.settings); !slice.empty();) {
    slices.insert(slices.begin(), slice);
    const auto name = unit::UnitName::parse(slice);
    slice = name ? slice_of(UnitSettings(*name)) : std::string();
  }
  return slices;
}

std::optional<uint64_t> number_in(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end != text.data() ? std::optional(number) : std::nullopt;
}

}  // namespace

void Manager::Impl::configure_path(const Unit& unit, CgroupWrites writes) {
  InheritedProtection inherited;
  CgroupMask allowed = kAllControllers;
  for (const std::string& name : slices_around(unit)) {
    const Unit* slice = find(name);
    if (slice == nullptr || !slice->settings.extras->cgroup) continue;
    const CgroupSettings& settings = *slice->settings.extras->cgroup;
    allowed = static_cast<CgroupMask>(allowed & ~settings.disable_controllers);
    if (settings.has_default_memory_min) inherited.memory_min = settings.default_memory_min;
    if (settings.has_default_memory_low) inherited.memory_low = settings.default_memory_low;
  }
  const CgroupPhase phase = boot_finish.is_set() ? CgroupPhase::kNormal : CgroupPhase::kStartup;
  CgroupSettings settings = settings_of(unit);
  // Only what runs processes has the default limit of tasks.
  if (unit.settings.name.type() == UnitType::kSlice && !settings.tasks_max) {
    settings.tasks_max = TasksMax{};
  }
  const CgroupPlan plan = plan_cgroup(settings, inherited, phase, writes);
  if (const auto done = edges.tracker.configure(group_path(unit), plan, allowed); !done) {
    edges.logs.message(unit.id, 4, fmt::format("{}: {}", unit.id, done.error().message));
  }
}

void Manager::Impl::configure_group(Unit& unit) {
  ServiceRuntime& runtime = *unit.service;
  if (runtime.group_is_configured) return;
  runtime.group_is_configured = true;
  // Without controllers there is nothing to write, and no time to lose.
  if (edges.tracker.controllers() == 0) return;
  for (const std::string& name : slices_around(unit)) {
    const Unit* slice = find(name);
    if (slice == nullptr || !slice->settings.extras->cgroup || name == "-.slice") continue;
    if (configured_slices_.insert(name).second) configure_path(*slice, CgroupWrites::kWhatIsSet);
  }
  configure_path(unit, CgroupWrites::kWhatIsSet);
}

void Manager::Impl::apply_cgroup_settings(Unit& unit) {
  if (edges.tracker.controllers() == 0 || !may_have_cgroup(unit)) return;
  const std::string path = group_path(unit);
  if (path.empty() || edges.tracker.cgroup_path(path).empty()) return;
  if (unit.settings.name.type() == UnitType::kSlice) configured_slices_.insert(unit.id);
  configure_path(unit, CgroupWrites::kAll);
}

void Manager::Impl::end_startup_phase() {
  for (const auto& unit : units) {
    if (!unit || !unit->settings.extras->cgroup ||
        !has_startup_settings(*unit->settings.extras->cgroup))
      continue;
    apply_cgroup_settings(*unit);
  }
}

void Manager::Impl::note_cpu_usage(Unit& unit) {
  if (!unit.has_cgroup) return;
  const auto usage = cpu_usage_nsec(edges.tracker.read_file(group_path(unit), "cpu.stat"));
  if (usage) unit.service->cpu_usage_nsec = *usage;
}

// What waits for its end begins first: the kernel takes its time to remove a cgroup.
void Manager::Impl::release_group_later(Unit& unit) {
  if (unit.service->group_goes) return;
  unit.service->group_goes = true;
  going_groups_.push_back(unit.graph_id);
  edges.program.request_turn();
}

// The service whose start waits for the end of this one's job.
UnitId Manager::Impl::find_next(UnitId running) const {
  const Job* const job = jobs.of_unit(running);
  if (job == nullptr || job->state != JobState::kRunning) return kNoUnit;
  for (const UnitId other : graph.dependencies(running, Dependency::kBefore)) {
    const Job* const waiting = jobs.of_unit(other);
    const Unit* const unit = unit_at(other);
    if (waiting == nullptr || waiting->state != JobState::kWaiting ||
        waiting->type != JobType::kStart || unit == nullptr || !unit->service) {
      continue;
    }
    if (unit->settings.name.type() != UnitType::kService || unit->has_cgroup) continue;
    if (unit->service->state.sub == ServiceSubState::kDead && !unit->service->group_goes)
      return other;
  }
  return kNoUnit;
}

// While a process runs whose end is waited for there is time for what its successor needs.
void Manager::Impl::make_group_ahead() {
  if (spawned_last_ != kNoUnit) {
    ahead_ = find_next(std::exchange(spawned_last_, kNoUnit));
    edges.tracker.make_ahead(ahead_ == kNoUnit ? std::string() : group_path(*unit_at(ahead_)));
  } else if (ahead_ != kNoUnit) {
    const Job* const job = jobs.of_unit(ahead_);
    if (job != nullptr && job->type == JobType::kStart && unit_at(ahead_) != nullptr) return;
    ahead_ = kNoUnit;
    edges.tracker.make_ahead({});
  }
}

void Manager::Impl::release_groups() {
  for (const UnitId id : std::exchange(going_groups_, {})) {
    Unit* const unit = unit_at(id);
    if (unit != nullptr && unit->service && unit->service->group_goes) release_group(*unit);
  }
}

// What KillMode= leaves alive is still the unit's.
void Manager::Impl::release_group(Unit& unit) {
  unit.service->group_goes = false;
  note_cpu_usage(unit);
  if (!unit.service->group->release()) {
    if (unit.is_inactive_or_failed()) static_cast<void>(unit.service->group->watch_until_empty());
    return;
  }
  unit.has_cgroup = false;
  unit.service->group_is_configured = false;
}

// The last of what KillMode= had left alive is gone.
void Manager::Impl::forget_left_overs(Unit& unit) {
  if (!unit.is_inactive_or_failed() || !unit.has_cgroup) return;
  release_group_later(unit);
  queue_garbage(unit.graph_id);
}

Status Manager::Impl::check_freezing(const Unit& unit, bool frozen) const {
  const auto refuse = [](std::string_view bus_name, std::string text) -> Status {
    return base::unexpected({Errc::kUnsupported, std::move(text), 0, std::string(bus_name)});
  };
  const std::string_view verb = frozen ? "freezing" : "thawing";
  if (!can_freeze(unit)) {
    return refuse("org.freedesktop.DBus.Error.NotSupported",
                  fmt::format("Unit '{}' does not support {}", unit.id, verb));
  }
  if (unit.job != 0) {
    return refuse("org.freedesktop.systemd1.UnitBusy", "Unit has a pending job.");
  }
  if (unit.active() != ActiveState::kActive) {
    return refuse("org.freedesktop.systemd1.UnitInactive", "Unit is inactive.");
  }
  if (freezing_.count(unit.graph_id) != 0) {
    return refuse("org.freedesktop.systemd1.UnitBusy",
                  fmt::format("Previously requested freezer operation for unit '{}' is still in "
                              "progress.",
                              unit.id));
  }
  return {};
}

void Manager::Impl::freeze(Unit& unit, bool frozen, FreezingDone done) {
  if (const Status status = check_freezing(unit, frozen); !status) return done(status);
  const bool was_frozen = std::exchange(unit.is_frozen, frozen);
  freezing_[unit.graph_id] = std::move(done);
  const Status status = edges.tracker.freeze(
      group_path(unit), frozen, [this, id = unit.graph_id] { finish_freezing(id, {}); });
  note_changed(unit);
  if (status) return;
  unit.is_frozen = was_frozen;
  finish_freezing(unit.graph_id, status);
}

void Manager::Impl::finish_freezing(UnitId id, const Status& status) {
  const auto found = freezing_.find(id);
  if (found == freezing_.end()) return;
  const FreezingDone done = std::move(found->second);
  freezing_.erase(found);
  if (Unit* unit = unit_at(id)) note_changed(*unit);
  done(status);
}

// What is to be done with a unit can only be done while it runs.
void Manager::Impl::thaw(Unit& unit) {
  finish_freezing(unit.graph_id, base::unexpected({Errc::kUnsupported, "Freeze operation aborted",
                                                   0, "org.freedesktop.systemd1.FreezeCancelled"}));
  if (!unit.is_frozen) return;
  unit.is_frozen = false;
  static_cast<void>(edges.tracker.freeze(group_path(unit), false, [] {}));
}

// --- Questions ---

std::string Manager::cgroup_path(const Unit& unit) const {
  if (!may_have_cgroup(unit) || !unit.tracked_by_cgroup) return {};
  // A unit that is dead has none, whoever made one of its name.
  // Between two runs there is none but for what the last one left behind.
  const bool is_between = unit.service && will_restart(unit.service->state);
  if (unit.service && (unit.is_inactive_or_failed() || is_between)) {
    const auto& group = unit.service->group;
    if (group && !group->is_populated()) return {};
  }
  if (unit.service) return unit.cgroup_path();
  if (!unit.simple_active) return {};
  return impl_->edges.tracker.cgroup_path(impl_->group_path(unit));
}

uint64_t Manager::cgroup_id(const Unit& unit) const {
  return cgroup_path(unit).empty() ? 0 : impl_->edges.tracker.cgroup_id(impl_->group_path(unit));
}

std::string Manager::cgroup_file(const Unit& unit, const char* name) const {
  if (!may_have_cgroup(unit) || (unit.service && !unit.has_cgroup)) return {};
  return impl_->edges.tracker.read_file(impl_->group_path(unit), name);
}

std::optional<uint64_t> Manager::memory_current(const Unit& unit) const {
  return number_in(cgroup_file(unit, "memory.current"));
}

std::optional<uint64_t> Manager::tasks_current(const Unit& unit) const {
  return number_in(cgroup_file(unit, "pids.current"));
}

std::optional<uint64_t> Manager::cpu_usage(const Unit& unit) const {
  if (const auto usage = cpu_usage_nsec(cgroup_file(unit, "cpu.stat"))) return usage;
  if (!unit.service || unit.service->cpu_usage_nsec == UINT64_MAX) return std::nullopt;
  return unit.service->cpu_usage_nsec;
}

std::optional<uint64_t> Manager::memory_available(const Unit& unit) const {
  std::optional<uint64_t> least;
  const auto look = [&](const Unit& at) {
    const auto current = memory_current(at);
    if (!current) return;
    for (const char* file : {"memory.max", "memory.high"}) {
      const auto limit = number_in(cgroup_file(at, file));
      if (!limit) continue;
      const uint64_t left = *limit > *current ? *limit - *current : 0;
      least = std::min(least.value_or(left), left);
    }
  };
  look(unit);
  for (const std::string& name : slices_around(unit)) {
    if (const Unit* slice = impl_->find(name)) look(*slice);
  }
  return least;
}

std::vector<std::string> Manager::ignored_directives(const Unit& unit) const {
  std::vector<std::string> ignored = unit.settings.extras->ignored_directives;
  if (!unit.settings.extras->cgroup) return ignored;
  const CgroupMask there = impl_->edges.tracker.controllers();
  const std::string_view section = unit_section_of(unit.settings.name.type());
  for (const std::string& name : unit.settings.extras->cgroup->written) {
    const auto needed = controller_of_directive(name);
    if (!needed || (there & mask_of(*needed)) != 0) continue;
    ignored.push_back(fmt::format("{}.{}", section, name));
  }
  return ignored;
}

std::vector<std::string> Manager::units_in_slice(const Unit& unit) const {
  std::vector<std::string> inside;
  if (unit.settings.name.type() != UnitType::kSlice) return inside;
  for (const auto& other : impl_->units) {
    if (other && other->settings.load_state == LoadState::kLoaded &&
        slice_of(other->settings) == unit.id) {
      inside.push_back(other->id);
    }
  }
  return inside;
}

const Unit* Manager::find_unit_by_cgroup(std::string_view path) const {
  const Unit* best = nullptr;
  size_t longest = 0;
  for (const auto& unit : impl_->units) {
    if (!unit || !may_have_cgroup(*unit)) continue;
    const std::string own = cgroup_path(*unit);
    if (own.empty() || own.size() < longest || path.substr(0, own.size()) != own) continue;
    // What is nobody's is not the root slice's either.
    if (path.size() != own.size() && (path[own.size()] != '/' || own == "/")) continue;
    best = unit.get();
    longest = own.size();
  }
  // All that there is, and no unit's.
  return path == "/" ? nullptr : best;
}

std::vector<ListedProcess> Manager::processes(const Unit& unit) const {
  return impl_->processes_of(unit);
}

std::vector<ListedProcess> Manager::Impl::processes_of(const Unit& unit) const {
  const bool has_group = unit.service ? unit.has_cgroup : unit.simple_active;
  if (edges.tracker.kind() == TrackingKind::kCgroup && may_have_cgroup(unit)) {
    if (!has_group) return {};
    return list_processes(edges.tracker, group_path(unit));
  }
  std::vector<ListedProcess> found;
  if (unit.service && unit.service->group) {
    std::vector<pid_t> pids;
    unit.service->group->pids(pids);
    for (const pid_t pid : pids) found.push_back({unit.cgroup_path(), pid});
  }
  if (unit.settings.name.type() != UnitType::kSlice) return found;
  for (const auto& other : units) {
    if (!other || slice_of(other->settings) != unit.id) continue;
    for (ListedProcess& process : processes_of(*other)) found.push_back(std::move(process));
  }
  return found;
}

Status Manager::attach_process(std::string_view name, std::string_view subgroup, pid_t pid) {
  const auto refuse = [](Errc code, std::string_view bus_name, std::string text) -> Status {
    return base::unexpected({code, std::move(text), 0, std::string(bus_name)});
  };
  Unit* unit = impl_->find(name);
  if (unit == nullptr) {
    return base::not_found("Unit {} not loaded.", name);
  }
  if (!subgroup.empty() && subgroup[0] != '/') {
    return base::invalid("Control group path is not absolute: {}", subgroup);
  }
  if (!unit->settings.extras->cgroup || !unit->settings.extras->cgroup->delegate) {
    return base::invalid("Process migration not available on non-delegated units.");
  }
  if (!unit->service || unit->is_inactive_or_failed() || !unit->service->group) {
    return refuse(Errc::kUnsupported, "org.freedesktop.systemd1.UnitInactive",
                  "Unit is not active, refusing.");
  }
  if (!subgroup.empty() && subgroup != "/") {
    return refuse(Errc::kUnsupported, "org.freedesktop.DBus.Error.NotSupported",
                  "Processes are put into the unit's own control group only.");
  }
  unit->service->group->add(pid);
  return unit->service->group->attach(pid);
}

// A slice can be frozen if all that is in it can: sockets and mounts have no processes to freeze.
bool Manager::Impl::can_freeze(const Unit& unit) const {
  if (edges.tracker.kind() != TrackingKind::kCgroup) return false;
  const UnitType type = unit.settings.name.type();
  if (type == UnitType::kService || type == UnitType::kScope) return true;
  if (type != UnitType::kSlice || unit.id == "-.slice") return false;
  return std::all_of(units.begin(), units.end(), [&](const auto& other) {
    return !other || other->settings.load_state != LoadState::kLoaded ||
           slice_of(other->settings) != unit.id || can_freeze(*other);
  });
}

bool Manager::can_freeze(const Unit& unit) const { return impl_->can_freeze(unit); }

std::string_view Manager::freezer_state(const Unit& unit) const {
  if (impl_->is_freezing(unit)) return unit.is_frozen ? "freezing" : "thawing";
  return unit.is_frozen ? "frozen" : "running";
}

void Manager::freeze_unit(std::string_view name, bool frozen, FreezingDone done) {
  Unit* unit = impl_->find(name);
  if (unit == nullptr) {
    return done(base::not_found("Unit {} not loaded.", name));
  }
  impl_->freeze(*unit, frozen, std::move(done));
}

}  // namespace flotilla::init
