#include "init/sandbox_defaults.h"

#include <linux/capability.h>

#include <algorithm>

#include "init/dynamic_users.h"

namespace flotilla::init {
namespace {

constexpr uint64_t bit(int capability) { return uint64_t{1} << static_cast<unsigned>(capability); }

void add_dependency(UnitSettings& settings, Dependency kind, std::string_view on) {
  auto name = unit::UnitName::parse(on);
  if (!name) return;
  auto& list = settings.dependencies[static_cast<size_t>(kind)];
  if (std::find(list.begin(), list.end(), *name) == list.end()) list.push_back(std::move(*name));
}

// Neither files nor IPC objects of a user that ends with the unit may be left behind, nor may it
// get out of its number.
void finish_dynamic_user(UnitSettings& settings) {
  ExecSettings& exec = settings.exec.edit();
  sandbox::Settings& sandbox = exec.sandbox.edit();
  if (exec.user.empty()) exec.user = dynamic_user_name(settings.name);
  if (exec.group.empty()) exec.group = exec.user;
  sandbox.private_tmp = true;
  sandbox.remove_ipc = true;
  if (sandbox.protect_system == sandbox::ProtectSystem::kNo) {
    sandbox.protect_system = sandbox::ProtectSystem::kStrict;
  }
  if (sandbox.protect_home == sandbox::ProtectHome::kNo) {
    sandbox.protect_home = sandbox::ProtectHome::kReadOnly;
  }
  exec.no_new_privileges = true;
  sandbox.restrict_suid_sgid = true;
}

void drop_capabilities(UnitSettings& settings) {
  const sandbox::Settings& sandbox = *settings.exec->sandbox;
  uint64_t dropped = 0;
  if (sandbox.private_devices) dropped |= bit(CAP_MKNOD) | bit(CAP_SYS_RAWIO);
  if (sandbox.protect_kernel_modules) dropped |= bit(CAP_SYS_MODULE);
  if (sandbox.protect_kernel_logs) dropped |= bit(CAP_SYSLOG);
  if (sandbox.protect_clock) dropped |= bit(CAP_SYS_TIME) | bit(CAP_WAKE_ALARM);
  if (dropped != 0) settings.exec.edit().extras.edit().capability_bounding_set &= ~dropped;
}

}  // namespace

void finish_sandbox(UnitSettings& settings) {
  const ExecSettings& exec = *settings.exec;
  if (!exec.root_directory.empty())
    settings.extras.edit().requires_mounts_for.push_back(exec.root_directory);
  if (!exec.sandbox.is_set()) return;
  if (exec.sandbox->dynamic_user) finish_dynamic_user(settings);
  drop_capabilities(settings);
  if (exec.sandbox->private_tmp) {
    // Masking tmp.mount is a usual way to have a /tmp on disk: so no requirement.
    add_dependency(settings, Dependency::kWants, "tmp.mount");
    add_dependency(settings, Dependency::kAfter, "tmp.mount");
    settings.extras.edit().requires_mounts_for.emplace_back("/var/tmp");
    add_dependency(settings, Dependency::kAfter, "systemd-tmpfiles-setup.service");
  }
}

}  // namespace flotilla::init
