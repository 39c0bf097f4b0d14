// `systemctl clean`: removes what a unit left in the directories that are its own. A child does the
// work, and the unit is "cleaning" until it has ended.
#include <array>

#include "init/directory_tree.h"
#include "init/exec_names.h"
#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

using base::Errc;
using base::Status;

Status refused(Errc code, std::string text, const char* bus_name) {
  return base::unexpected({code, std::move(text), 0, bus_name});
}

int remove_paths(const void* paths) {
  int first_error = 0;
  for (const std::string& path : *static_cast<const std::vector<std::string>*>(paths)) {
    const int error = remove_tree(path);
    if (first_error == 0) first_error = error;
  }
  return first_error;
}

// Which kinds the words mean; nothing, and the word in `unknown`, for one that means none.
std::optional<std::array<bool, kDirectoryKinds>> read_kinds(const std::vector<std::string>& words,
                                                            std::string& unknown) {
  std::array<bool, kDirectoryKinds> kinds{};
  for (const std::string& word : words) {
    bool is_known = word == "all";
    for (size_t i = 0; i < kDirectoryKinds; ++i) {
      if (word != "all" && word != directory_word(static_cast<DirectoryKind>(i))) continue;
      kinds[i] = is_known = true;
    }
    if (is_known) continue;
    unknown = word;
    return std::nullopt;
  }
  return kinds;
}

}  // namespace

Status Manager::Impl::clean(Unit& unit, const std::vector<std::string>& what) {
  std::string unknown;
  const auto kinds = read_kinds(what, unknown);
  if (!kinds) {
    return base::invalid("Invalid resource type: {}", unknown);
  }
  if (what.empty() && unit.service) {
    return refused(Errc::kNotFound, "No matching resources found.",
                   "org.freedesktop.systemd1.NothingToClean");
  }
  if (!unit.service) {
    return base::unsupported("Unit '{}' does not support cleaning.", unit.id);
  }
  ServiceRuntime& runtime = *unit.service;
  if (runtime.state.sub != ServiceSubState::kDead || jobs.of_unit(unit.graph_id) != nullptr) {
    return refused(Errc::kConflict, "Unit is not inactive or has pending job.",
                   "org.freedesktop.systemd1.UnitBusy");
  }
  const ExecExtras& extras = *unit.settings.exec->extras;
  const DirectoryBases bases = directory_bases(options.host_values);
  std::vector<std::string> paths;
  for (size_t i = 0; i < kDirectoryKinds; ++i) {
    if (!(*kinds)[i]) continue;
    for (std::string& path : directory_paths(extras, bases, static_cast<DirectoryKind>(i))) {
      paths.push_back(std::move(path));
    }
    if (!is_private_kind(extras, static_cast<DirectoryKind>(i)) || bases[i].empty()) continue;
    for (const DirectorySetting::Item& item : extras.directories[i].items) {
      paths.push_back(private_base(bases[i]) + "/" + item.path);
    }
  }
  if (paths.empty()) {
    return refused(Errc::kNotFound, "No matching resources found.",
                   "org.freedesktop.systemd1.NothingToClean");
  }
  SpawnExtras work;
  work.work = &remove_paths;
  work.work_context = &paths;
  constexpr std::array<const char*, 1> kNothing{nullptr};
  ExecSpec spec;
  spec.argv = spec.environment = kNothing.data();
  spec.extras = &work;
  const SpawnResult child = edges.spawner.spawn(spec);
  if (child.pid < 0) return base::system_error(child.error, "Failed to clean {}", unit.id);
  runtime.extras.edit().clean_result = ServiceResult::kSuccess;
  runtime.state.sub = ServiceSubState::kCleaning;
  runtime.state.control_pid = child.pid;
  runtime.state.has_control_command = false;
  runtime.state.timeout_at = extras.timeout_clean == kInfinity
                                 ? base::MonotonicTime::never()
                                 : edges.timers.clock().monotonic() + extras.timeout_clean;
  edges.processes.watch(runtime.watch_control(), child.pid);
  arm_service_timers(runtime);
  change_state(unit, active_state_of(unit.settings.service->type, runtime.state.sub), false);
  save(unit);
  return {};
}

Status Manager::clean_unit(std::string_view name, const std::vector<std::string>& what) {
  auto unit = impl_->load(name);
  if (!unit) return base::unexpected(std::move(unit).error());
  if ((*unit)->settings.load_state == LoadState::kNotFound) {
    return base::not_found("Unit {} not found.", name);
  }
  return impl_->clean(**unit, what);
}

}  // namespace flotilla::init
