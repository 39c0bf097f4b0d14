// The manager's units: loading with everything they name, daemon-reload, and forgetting.
#include <unistd.h>

#include <algorithm>

#include "init/manager_impl.h"
#include "init/transaction.h"
#include "init/unit_file_search.h"

namespace flotilla::init {
namespace {

using base::Result;
using base::Status;
using unit::UnitName;
using unit::UnitType;

constexpr size_t kMaxUnits = 100'000;

bool is_perpetual(const std::string& id) {
  return id == "-.slice" || id == "system.slice" || id == "init.scope" || id == "-.mount";
}

}  // namespace

Status Manager::add_ref(std::string_view name) {
  FLOTILLA_ASSIGN(Unit * unit, impl_->load(name));
  FLOTILLA_TRY(check_load_state(impl_->graph, unit->graph_id));
  ++unit->refs;
  return {};
}

void Manager::drop_ref(std::string_view name) {
  Unit* unit = impl_->find(name);
  if (unit == nullptr || unit->refs == 0) return;
  if (--unit->refs == 0) impl_->unit_may_go();
}

bool Manager::is_perpetual(const Unit& unit) { return init::is_perpetual(unit.id); }

Unit* Manager::Impl::find(std::string_view name) const noexcept {
  const UnitId id = graph.find(name);
  return id == kNoUnit ? nullptr : unit_at(id);
}

namespace {

// Slices, scopes, mounts, swaps and devices are named for what they are.
bool may_be_template(UnitType type) noexcept {
  return type == UnitType::kService || type == UnitType::kSocket || type == UnitType::kTarget ||
         type == UnitType::kTimer || type == UnitType::kPath;
}

}  // namespace

Result<Unit*> Manager::Impl::load(std::string_view name) {
  auto parsed = UnitName::parse(name);
  if (!parsed) {
    return base::invalid("Unit name {} is not valid.", name);
  }
  if (parsed->is_template()) {
    return base::invalid("Unit name {} is missing the instance name.", name);
  }
  if (parsed->is_instance() && !may_be_template(parsed->type())) {
    return base::unexpected({base::Errc::kInvalid, "Invalid argument", EINVAL});
  }
  Unit* unit = load_name(*parsed);
  if (unit == nullptr) return base::too_large("too many units are loaded");
  return unit;
}

// Loads the unit and whatever its files name, and so on, as far as it is not loaded yet.
Unit* Manager::Impl::load_name(const UnitName& name) {
  Unit* known = find(name.str());
  if (known != nullptr && known->settings.load_state != LoadState::kNotFound) return known;
  if (known != nullptr) {
    // A file may have come since, or a mount.
    if (name.type() == UnitType::kMount) know_mounts();
    if (loader.load(name).load_state == LoadState::kNotFound) return known;
  }
  std::vector<UnitName> wanted{name};
  std::vector<UnitId> targets;
  Unit* first = nullptr;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Unit* unit = find(wanted[i].str());
    const bool is_first = i == 0;
    if (unit == nullptr || is_first) {
      if (units.size() > kMaxUnits) return first;
      if (wanted[i].type() == UnitType::kMount) know_mounts();
      unit = take_settings(is_first ? loader.load(wanted[i]) : loader.load_more(wanted[i]));
      for (const UnitId other : graph.declared_by(unit->graph_id)) {
        if (unit_at(other) == nullptr) wanted.push_back(graph.name(other));
      }
      for (UnitName& mount : mounts_to_load(*unit)) wanted.push_back(std::move(mount));
      if (unit->settings.name.type() == UnitType::kTarget) targets.push_back(unit->graph_id);
    }
    if (is_first) first = unit;
  }
  order_targets(targets);
  return first;
}

// It began with the manager, and is made of what is there.
void Manager::Impl::be_always_there(Unit& unit) {
  unit.simple_active = true;
  unit.note_active_since(userspace);
  unit.transient = unit.settings.name.type() == UnitType::kScope;
}

Unit* Manager::Impl::take_settings(UnitSettings settings) {
  log_warnings(settings);
  Unit* unit = find(settings.name.str());
  const bool is_new = unit == nullptr;
  const UnitId id = graph.replace(settings);
  settings.dependencies = {};
  if (id >= units.size()) {
    units.resize(id + 1);
    active_states.resize(id + 1, ActiveState::kInactive);
    queued_.resize(id + 1, false);
    restarting_.resize(id + 1, false);
  }
  if (is_new) {
    units[id] = std::make_unique<Unit>(std::move(settings));
    unit = units[id].get();
    unit->graph_id = id;
    graph.lend_name(id, unit->settings.name);
    unit->tracked_by_cgroup = edges.tracker.kind() == TrackingKind::kCgroup;
    const UnitType type = unit->settings.name.type();
    const bool is_scope = type == UnitType::kScope && !init::is_perpetual(unit->id);
    if (type == UnitType::kService || is_scope) {
      unit->service = std::make_unique<ServiceRuntime>(*this, *unit);
    }
    unit->transient = is_transient_directory(unit->settings.fragment_directory);
    if (init::is_perpetual(unit->id)) be_always_there(*unit);
    active_states[id] = unit->active();
    queue_garbage(id);
    edges.program.request_turn();
    if (observer != nullptr) events_.new_units.push_back(unit->id);
  } else {
    unit->settings = std::move(settings);
    if (unit->service) unit->service->drop_main_exec();
    note_changed(*unit);
  }
  if (is_mount(*unit)) take_mount(*unit);
  link_mounts(*unit);
  for (const UnitName& alias : unit->settings.extras->aliases) {
    // Somebody may have named the alias before it was known to be one.
    const UnitId other = graph.find(alias.str());
    if (other != kNoUnit && other != id && unit_at(other) != nullptr) forget_unit(other);
  }
  return unit;
}

// A target comes after what it wants, unless either side does without default dependencies or the
// other is ordered behind it.
void Manager::Impl::order_targets(const std::vector<UnitId>& targets) {
  for (const UnitId id : targets) {
    const Unit* target = unit_at(id);
    if (target == nullptr || target->settings.load_state != LoadState::kLoaded ||
        !target->settings.default_dependencies) {
      continue;
    }
    for (const Dependency kind : {Dependency::kRequires, Dependency::kRequisite, Dependency::kWants,
                                  Dependency::kBindsTo}) {
      for (const UnitId wanted : graph.declared_by(id, kind)) {
        const Unit* other = unit_at(wanted);
        if (other == nullptr || other->settings.load_state != LoadState::kLoaded ||
            !other->settings.default_dependencies) {
          continue;
        }
        if (graph.has(id, Dependency::kBefore, other->graph_id)) continue;
        graph.add(id, Dependency::kAfter, other->graph_id);
      }
    }
  }
}

void Manager::Impl::log_warnings(const UnitSettings& settings) {
  for (const std::string& warning : settings.extras->warnings) {
    edges.logs.message(settings.name.str(), 4, warning);
  }
}

// Who asks for everything anew gives every unit its starts back.
void Manager::Impl::reset_start_limits() noexcept {
  for (const auto& unit : units) {
    if (!unit || unit->start_limit.count == 0) continue;
    unit->start_limit.reset();
    save(*unit);
  }
}

Status Manager::Impl::reload_all() {
  if (observer != nullptr) ++events_.reloads;
  log(6, "Reloading.");
  reset_start_limits();
  loader.refresh();
  unit_files.clear();
  units_load_start = now();
  std::vector<UnitId> targets;
  std::vector<UnitName> named;
  for (UnitId id = 0; id < units.size(); ++id) {
    if (!units[id]) continue;
    Unit& unit = *units[id];
    // What a command did belongs to the line of the file as it was read.
    if (unit.service) unit.service->forget_runs(false);
    if (loader.is_unchanged(unit.settings)) {
      if (unit.settings.name.type() == UnitType::kTarget) targets.push_back(id);
      for (UnitName& mount : mounts_to_load(unit)) named.push_back(std::move(mount));
      continue;
    }
    UnitSettings settings = loader.load_more(unit.settings.name);
    loader.remember(settings, edges.timers.clock().wall());
    if (!(settings.name == unit.settings.name)) {
      // It is an alias now. What runs under the old name stays as it is until it is stopped.
      if (!unit.is_inactive_or_failed() || unit.job != 0) continue;
      forget_unit(id);
      continue;
    }
    Unit* kept = take_settings(std::move(settings));
    if (kept->settings.name.type() == UnitType::kTarget) targets.push_back(kept->graph_id);
    for (const UnitId other : graph.declared_by(kept->graph_id)) {
      if (unit_at(other) == nullptr) named.push_back(graph.name(other));
    }
    for (UnitName& mount : mounts_to_load(*kept)) named.push_back(std::move(mount));
  }
  for (const UnitName& name : named) load_name(name);
  order_targets(targets);
  units_load_finish = now();
  queue_all_garbage();
  edges.program.request_turn();
  return {};
}

void Manager::Impl::forget_unit(UnitId id) {
  Unit& unit = *units[id];
  if (unit.transient) remove_transient_files(unit.id);
  loader.forget(unit.id);
  forget_slot(unit);
  remove_links(unit);
  if (unit.service) edges.logs.close_streams(unit.id);
  if (unit.service && unit.service->group_goes) release_group(unit);
  if (observer != nullptr) {
    events_.changed_units.erase(unit.id);
    events_.removed_units.push_back(unit.id);
  }
  freezing_.erase(id);
  settle_limits_.erase(id);
  if (queued_[id]) leave_run_queue(id);
  settle_queue_.erase(std::remove(settle_queue_.begin(), settle_queue_.end(), id),
                      settle_queue_.end());
  queued_[id] = false;
  restarting_[id] = false;
  active_states[id] = ActiveState::kInactive;
  graph.release(id);  // it may have the unit's name
  units[id].reset();
}

Unit* Manager::Impl::find_by_pid(pid_t pid) const {
  const bool is_own = pid == ::getpid() || (options.is_pid1 && pid == 1);
  if (is_own && options.scope == ManagerScope::kSystem) return find("init.scope");
  for (const auto& unit : units) {
    if (unit && unit->service && (unit->main_pid() == pid || unit->control_pid() == pid)) {
      return unit.get();
    }
  }
  if (edges.tracker.kind() == TrackingKind::kCgroup) {
    // One file tells more than a look into every unit's cgroup.
    if (const auto text = edges.host.read(fmt::format("/proc/{}/cgroup", pid), 4096)) {
      return find_by_cgroup(*text);
    }
    if (!edges.processes.inspect(pid)) return nullptr;
  }
  std::vector<pid_t> pids;
  for (const auto& unit : units) {
    if (!unit || !unit->service || !unit->service->group) continue;
    pids.clear();
    unit->service->group->pids(pids);
    if (std::find(pids.begin(), pids.end(), pid) != pids.end()) return unit.get();
  }
  return nullptr;
}

// From the text of /proc/PID/cgroup: the unit whose cgroup that is, or one above it.
Unit* Manager::Impl::find_by_cgroup(std::string_view text) const {
  const size_t line = text.rfind("0::", 0) == 0 ? 0 : text.find("\n0::") + 1;
  if (line == 0 && text.rfind("0::", 0) != 0) return nullptr;
  text.remove_prefix(line + 3);
  const std::string_view path = text.substr(0, text.find('\n'));
  // A unit's cgroup is called as the unit is.
  size_t slash = 0;
  for (std::string_view own = path; (slash = own.rfind('/')) != std::string_view::npos;
       own = own.substr(0, slash)) {
    Unit* unit = find(own.substr(slash + 1));
    if (unit != nullptr && unit->cgroup_path() == own) return unit;
  }
  return nullptr;
}

// "system.slice/a.service"; a slice stands inside those its name begins with.
std::string Manager::Impl::group_path(const Unit& unit) const {
  if (unit.id == "-.slice") return {};
  std::string path;
  const std::string slice = slice_of(unit.settings);
  if (!slice.empty() && slice != "-.slice") {
    const std::string stem = slice.substr(0, slice.size() - 6);
    for (size_t dash = stem.find('-'); dash != std::string::npos; dash = stem.find('-', dash + 1)) {
      path += stem.substr(0, dash) + ".slice/";
    }
    path += slice + "/";
  }
  return path + unit.id;
}

}  // namespace flotilla::init
