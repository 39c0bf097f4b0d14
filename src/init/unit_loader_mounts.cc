// The last step of loading mounts: what [Mount] leaves to the unit's name, the checks, and where
// the mount stands among other units.
#include <algorithm>

#include "init/unit_loader.h"

namespace flotilla::init {
namespace {

constexpr std::string_view kRootMount = "-.mount";

void require_mounts_for(UnitSettings& settings, std::string path) {
  auto& paths = settings.extras.edit().requires_mounts_for;
  if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(std::move(path));
}

std::string parent_path(const std::string& where) {
  const size_t slash = where.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : where.substr(0, slash);
}

// The reason it cannot be used; empty: it can.
std::string_view find_fault(const UnitSettings& settings, bool has_file) {
  const MountSettings& mount = *settings.extras->mount;
  if (mount_unit_of(mount.where) != settings.name.str()) {
    return "Where= setting doesn't match unit name. Refusing.";
  }
  if (is_api_mount(mount.where)) {
    return "Cannot create mount unit for API file system. Refusing.";
  }
  if (has_file && mount.what.empty() && settings.name.str() != kRootMount) {
    return "What= setting is missing. Refusing.";
  }
  return {};
}

// What it is now, where it is mounted, goes before what its file says.
void add_default_order(UnitSettings& settings, std::string_view options, std::string_view type) {
  if (is_network_mount(options, type)) {
    add_dependency(settings, Dependency::kAfter, "network.target");
    add_dependency(settings, Dependency::kWants, "network-online.target");
    add_dependency(settings, Dependency::kAfter, "network-online.target");
    add_dependency(settings, Dependency::kAfter, "remote-fs-pre.target");
  } else {
    add_dependency(settings, Dependency::kAfter, "local-fs-pre.target");
  }
  if (!has_mount_option(settings.extras->mount->options, "nofail")) {
    add_dependency(settings, Dependency::kBefore,
                   is_network_mount(options, type) ? "remote-fs.target" : "local-fs.target");
  }
  add_dependency(settings, Dependency::kBefore, "umount.target");
  add_dependency(settings, Dependency::kConflicts, "umount.target");
  // What it holds may be in swap.
  if (type == "tmpfs") add_dependency(settings, Dependency::kAfter, "swap.target");
}

}  // namespace

bool load_without_file(UnitSettings& settings, const MountTable* mounts) {
  if (mounts == nullptr) return false;
  const bool is_root = settings.name.str() == kRootMount;
  if (!is_root && mounts->find(path_of_mount_unit(settings.name)) == nullptr) return false;
  settings.load_state = LoadState::kLoaded;
  return true;
}

void finish_mount(UnitSettings& settings, ManagerScope scope, const MountTable* mounts) {
  const bool has_file = !settings.fragment_directory.empty();
  const bool is_root = settings.name.str() == kRootMount;
  MountSettings& mount = settings.extras.edit().mount.edit();
  if (mount.where.empty()) mount.where = path_of_mount_unit(settings.name);
  if (settings.description.empty()) {
    settings.description = is_root ? "Root Mount" : mount.where;
  }
  if (settings.kill.restart_kill_signal == 0) {
    settings.kill.restart_kill_signal = settings.kill.kill_signal;
  }
  const MountLine* line = mounts == nullptr ? nullptr : mounts->find(mount.where);
  const std::string& options = line == nullptr ? mount.options : line->options;
  const std::string& type = line == nullptr ? mount.type : line->type;
  const bool is_extrinsic =
      scope == ManagerScope::kUser || is_extrinsic_mount(mount.where, mount.options);
  if (is_extrinsic && scope == ManagerScope::kSystem) settings.slice = "-.slice";
  if (is_root) {
    settings.default_dependencies = false;
    if (!has_file) settings.exec.edit().standard_output = {StreamSetting::Kind::kNull, {}};
  } else {
    require_mounts_for(settings, parent_path(mount.where));
  }
  if (mount.what.substr(0, 1) == "/" && needs_source_path(mount.options, mount.type)) {
    require_mounts_for(settings, mount.what);
  }
  if (settings.default_dependencies && !is_extrinsic) add_default_order(settings, options, type);
  if (settings.exec->standard_output.kind == StreamSetting::Kind::kJournal) {
    add_dependency(settings, Dependency::kAfter, "systemd-journald.socket");
  }
  if (const std::string_view fault = find_fault(settings, has_file); !fault.empty()) {
    return refuse(settings, fault);
  }
  set_mount_commands(settings);
}

}  // namespace flotilla::init
