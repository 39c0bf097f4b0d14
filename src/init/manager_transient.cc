// Units and settings that programs give over the bus: written where the loader finds them, so that
// a reload or another manager reads them again.
#include <algorithm>
#include <cerrno>

#include "init/manager_impl.h"
#include "init/property_text.h"
#include "init/random_span.h"
#include "init/unit_file_search.h"

namespace flotilla::init {

using base::Errc;
using base::Result;
using base::Status;
using unit::UnitName;
using unit::UnitType;

namespace {

constexpr std::string_view kFileHeading =
    "# This is a transient unit file, created programmatically via the systemd API. Do not edit.\n";
constexpr std::string_view kDropInHeading =
    "# This is a drop-in unit file extension, created via \"systemctl set-property\"\n"
    "# or an equivalent operation. Do not edit.\n";

std::string directive_of(const PropertyText& setting) {
  if (setting.lines.empty() || setting.name == "Conditions" || setting.name == "Asserts") {
    return setting.name;
  }
  return setting.lines[0].substr(0, setting.lines[0].find('='));
}

bool is_scale(std::string_view name) {
  constexpr std::string_view kScale = "Scale";
  return name.size() > kScale.size() && name.substr(name.size() - kScale.size()) == kScale;
}

// "50-MemoryHigh.conf"; a share of what there is stands in a file of its own.
std::string drop_in_name(const PropertyText& setting) {
  const bool as_property = is_scale(setting.name) || setting.name == "IODeviceLatencyTargetUSec";
  return fmt::format("50-{}.conf", as_property ? setting.name : directive_of(setting));
}

// Devices are added to those that were given before; an empty value takes all of them away.
bool is_device_list(std::string_view directive) {
  static constexpr std::string_view kLists[] = {
      "DeviceAllow",          "IODeviceWeight",      "IODeviceLatencyTargetSec",
      "IOReadBandwidthMax",   "IOWriteBandwidthMax", "IOReadIOPSMax",
      "IOWriteIOPSMax",       "BlockIODeviceWeight", "BlockIOReadBandwidth",
      "BlockIOWriteBandwidth"};
  return std::find(std::begin(kLists), std::end(kLists), directive) != std::end(kLists);
}

bool takes_all_away(const PropertyText& setting) {
  return std::any_of(setting.lines.begin(), setting.lines.end(),
                     [](const std::string& line) { return line.back() == '='; });
}

// The lines of an earlier drop-in that speak of other devices than the new ones do.
std::vector<std::string> lines_of_others(std::string_view text, const PropertyText& setting) {
  const auto device_of = [](std::string_view line) { return line.substr(0, line.find(' ')); };
  const std::string directive = directive_of(setting) + "=";
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.substr(0, directive.size()) != directive || line == directive) continue;
    const bool is_new =
        std::any_of(setting.lines.begin(), setting.lines.end(),
                    [&](const std::string& other) { return device_of(other) == device_of(line); });
    if (!is_new) lines.emplace_back(line);
  }
  return lines;
}

// DeviceAllow= as all files of the unit have it.
std::string allowed_devices(const Unit& unit) {
  std::string text;
  if (!unit.settings.extras->cgroup) return text;
  for (const auto& [device, permissions] : unit.settings.extras->cgroup->device_allow) {
    text += fmt::format("DeviceAllow={} {}\n", device, permissions);
  }
  return text;
}

}  // namespace

std::string Manager::Impl::transient_directory() const {
  return options.runtime_directory + "/systemd/transient";
}

Result<Unit*> Manager::Impl::make_transient(const TransientUnit& wanted) {
  const auto name = UnitName::parse(wanted.name);
  if (!name) return base::invalid("Invalid unit name or type.");
  FLOTILLA_TRY(check_transient_type(name->type()));
  FLOTILLA_ASSIGN(Unit * known, load(wanted.name));
  const bool is_pristine = known->settings.load_state == LoadState::kNotFound && known->job == 0 &&
                           known->active() == ActiveState::kInactive;
  if (!is_pristine && name->type() != UnitType::kSlice) {
    return base::unexpected(
        {Errc::kAlreadyExists,
         fmt::format("Unit {} was already loaded or has a fragment file.", wanted.name), EEXIST,
         "org.freedesktop.systemd1.UnitExists"});
  }
  std::vector<pid_t> pids;
  for (const PropertyText& setting : wanted.settings) {
    pids.insert(pids.end(), setting.pids.begin(), setting.pids.end());
  }
  if (name->type() == UnitType::kScope && pids.empty()) {
    return base::unexpected(
        {Errc::kNotFound,
         fmt::format("Unit {} failed to load properly, please adjust/correct and reload service "
                     "manager: No such file or directory",
                     wanted.name),
         ENOENT, "org.freedesktop.DBus.Error.FileNotFound"});
  }
  for (const pid_t pid : pids) {
    if (edges.processes.inspect(pid)) continue;
    return base::unexpected({Errc::kNotFound,
                             fmt::format("Process with ID {} does not exist.", pid), ESRCH,
                             "org.freedesktop.DBus.Error.UnixProcessIdUnknown"});
  }
  const std::string directory = transient_directory();
  const auto& places = options.unit_directories;
  if (std::none_of(places.begin(), places.end(),
                   [&](const UnitDirectory& place) { return place.path == directory; })) {
    return base::unsupported("{} is not in the search path of unit files", directory);
  }
  const std::string path = directory + "/" + wanted.name;
  if (edges.tree.lstat(path) && name->type() == UnitType::kSlice) {
    return base::unexpected(
        {Errc::kAlreadyExists,
         fmt::format("Unit {} was already loaded or has a fragment file.", wanted.name), EEXIST,
         "org.freedesktop.systemd1.UnitExists"});
  }
  FLOTILLA_TRY(edges.tree.write_atomic(path, unit_file_text(kFileHeading, wanted.settings), 0644));
  loader.refresh_name(wanted.name);
  Unit* unit = load_name(*name);
  if (unit != nullptr && unit->settings.fragment_path() != path) {
    unit = take_settings(loader.load(*name));
  }
  if (unit == nullptr) {
    remove_transient_files(wanted.name);
    return base::too_large("too many units are loaded");
  }
  unit->transient = true;
  if (!pids.empty()) scope_pids_[unit->graph_id] = std::move(pids);
  return unit;
}

Result<uint32_t> Manager::Impl::start_transient(const std::vector<TransientUnit>& wanted,
                                                std::string_view mode_word) {
  const auto mode = parse_job_mode(mode_word);
  if (!mode) return base::invalid("Job mode {} is invalid.", mode_word);
  std::vector<std::string> made;
  const auto start = [&]() -> Result<uint32_t> {
    UnitId id = 0;  // of the first
    for (const TransientUnit& one : wanted) {
      FLOTILLA_ASSIGN(const Unit* unit, make_transient(one));
      if (made.empty()) id = unit->graph_id;
      made.push_back(unit->id);
    }
    FLOTILLA_TRY(check_load_state(graph, id));
    return enqueue({id, JobType::kStart, *mode});
  };
  auto job = start();
  if (!job) {
    // What could not be started is forgotten, and may be tried again under the same name.
    for (const std::string& name : made) {
      Unit* unit = find(name);
      if (unit == nullptr || unit->job != 0 || !unit->is_inactive_or_failed()) continue;
      remove_transient_files(name);
      unit->transient = false;
      static_cast<void>(take_settings(loader.load(unit->settings.name)));
    }
    queue_all_garbage();
    edges.program.request_turn();
  }
  return job;
}

Status Manager::Impl::set_properties(Unit& unit, bool runtime,
                                     const std::vector<PropertyText>& settings) {
  FLOTILLA_TRY(check_load_state(graph, unit.graph_id));
  if (settings.empty()) return {};
  const std::string kind = options.scope == ManagerScope::kUser ? "user" : "system";
  const std::string directory =
      unit.transient ? transient_directory()
      : runtime      ? fmt::format("{}/systemd/{}.control", options.runtime_directory, kind)
                     : fmt::format("{}/{}.control", parent_of(options.config_directory), kind);
  bool has_no_devices = false;
  for (const PropertyText& setting : settings) {
    const std::string prefix = fmt::format("{}/{}.d/", directory, unit.id);
    const std::string path = prefix + drop_in_name(setting);
    const std::string directive = directive_of(setting);
    PropertyText written = setting;
    if (is_device_list(directive)) {
      if (!takes_all_away(setting)) {
        const auto before = edges.tree.read(path, unit::kMaxUnitFileSize);
        const bool is_in_settings = directive == "DeviceAllow" && !has_no_devices;
        const std::string known = is_in_settings ? allowed_devices(unit)
                                  : before       ? *before
                                                 : std::string();
        const std::vector<std::string> kept = lines_of_others(known, setting);
        // Devices that may be used stand before those there were, weights and limits behind.
        const bool is_first = directive == "DeviceAllow";
        written.lines.insert(is_first ? written.lines.end() : written.lines.begin(), kept.begin(),
                             kept.end());
        written.lines.insert(written.lines.begin(), directive + "=");
      }
      has_no_devices = has_no_devices || (directive == "DeviceAllow" && takes_all_away(setting));
      // An empty line ends a list.
      written.lines.emplace_back();
    }
    const PropertyText applied = written;
    if (!setting.rounded.empty()) written.lines = setting.rounded;
    const bool was_outdated = loader.is_outdated(unit.settings);
    FLOTILLA_TRY(edges.tree.write_atomic(path, unit_file_text(kDropInHeading, {written}), 0644));
    loader.refresh_name(unit.id + ".d");
    unit.settings =
        loader.with_drop_in(unit.settings, unit_file_text({}, {applied}), path, was_outdated);
  }
  if (unit.service) unit.service->drop_main_exec();
  note_changed(unit);
  apply_cgroup_settings(unit);
  return {};
}

// A scope has no program of its own: it takes in processes that others started, and is over when
// the last of them is gone.
void Manager::Impl::start_scope(const Job& job, Unit& unit) {
  ServiceRuntime& runtime = *unit.service;
  if (unit.active() == ActiveState::kActive) return finish(job.id, JobResult::kDone);
  if (!check_conditions(job, unit)) return;
  const std::vector<pid_t> pids = std::move(scope_pids_[unit.graph_id]);
  scope_pids_.erase(unit.graph_id);
  begin_run(unit);
  write_links(unit);
  ensure_group(unit);
  size_t taken = 0;
  if (runtime.group && runtime.group->prepare()) {
    for (const pid_t pid : pids) {
      const Status attached = runtime.group->attach(pid);
      if (attached) {
        runtime.group->add(pid);
        ++taken;
      } else {
        edges.logs.message(unit.id, 4,
                           fmt::format("{}: Failed to add PID {} to scope's control group: {}",
                                       unit.id, pid, attached.error().message));
      }
    }
  }
  const bool runs = taken != 0 && runtime.group->watch_until_empty();
  runtime.state.sub = runs ? ServiceSubState::kRunning : ServiceSubState::kFailed;
  runtime.state.result = runs ? ServiceResult::kSuccess : ServiceResult::kResources;
  runtime.state.main_pid_known = false;
  runtime.is_abandoned = false;
  if (runs) {
    unit.has_cgroup = !runtime.group->cgroup_path().empty();
    runtime.state.active_since = edges.timers.clock().monotonic();
    const Micros limit = unit.settings.service->runtime_max;
    if (limit != kInfinity) {
      runtime.state.timeout_at = edges.timers.clock().monotonic() + limit +
                                 random_span(edges.processes, unit.settings.service->runtime_extra);
      arm_service_timers(runtime);
    }
  } else {
    release_resources(unit, false);
  }
  change_state(unit, unit.active(), false);
  save(unit);
}

Status Manager::abandon_scope(std::string_view name) {
  Unit* unit = impl_->find(name);
  if (unit == nullptr) {
    return base::not_found("Unit {} not loaded.", name);
  }
  if (unit->settings.name.type() != UnitType::kScope) {
    return base::invalid("Unit '{}' is not a scope unit, refusing.", name);
  }
  if (!unit->service || unit->service->state.sub != ServiceSubState::kRunning) {
    return base::unexpected({Errc::kConflict,
                             fmt::format("Scope {} is not running, cannot abandon.", name), 0,
                             "org.freedesktop.systemd1.ScopeNotRunning"});
  }
  unit->service->is_abandoned = true;
  impl_->note_changed(*unit);
  impl_->save(*unit);
  impl_->edges.program.request_turn();
  return {};
}

void Manager::Impl::remove_transient_files(const std::string& name) {
  const std::string directory = transient_directory();
  const std::string drop_ins = directory + "/" + name + ".d";
  for (const base::DirectoryEntry& entry : edges.tree.list(drop_ins).value_or({})) {
    static_cast<void>(edges.tree.remove(drop_ins + "/" + entry.name));
  }
  if (edges.tree.lstat(drop_ins)) {
    static_cast<void>(edges.tree.remove(drop_ins));
    loader.refresh_name(name + ".d");
  }
  static_cast<void>(edges.tree.remove(directory + "/" + name));
  loader.refresh_name(name);
}

// What belongs to no unit: a manager that died left it, or it was there before the first one.
void Manager::Impl::remove_forgotten_transients() {
  for (const base::DirectoryEntry& entry : edges.tree.list(transient_directory()).value_or({})) {
    std::string name = entry.name;
    const bool is_drop_in = name.size() > 2 && name.compare(name.size() - 2, 2, ".d") == 0;
    if (is_drop_in) name.resize(name.size() - 2);
    if (find(name) == nullptr) remove_transient_files(name);
  }
}

}  // namespace flotilla::init
