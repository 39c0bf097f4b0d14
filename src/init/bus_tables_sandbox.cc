#include "init/bus_tables_sandbox.h"

#include <sys/mount.h>

#include <algorithm>
#include <climits>

#include "sandbox/mount_plan.h"
#include "sandbox/names.h"
#include "sandbox/syscall_filter.h"

namespace flotilla::init {
namespace {

using bus_sandbox::S;
using bus_sandbox::W;
using sandbox::Settings;

// What stands for "kill" where an errno is expected.
constexpr int32_t kBusKill = INT_MAX - 1;

const Settings& settings_of(S s) { return s.unit->settings.exec->sandbox.get(); }

template <bool Settings::*Member>
void flag(S s, W w) {
  w.boolean(settings_of(s).*Member);
}
template <std::vector<std::string> Settings::*Member>
void texts(S s, W w) {
  w.strings(settings_of(s).*Member);
}
template <std::string Settings::*Member>
void text(S s, W w) {
  w.string(settings_of(s).*Member);
}
template <auto Member>
void choice(S s, W w) {
  w.string(to_string(settings_of(s).*Member));
}

void set_credentials(S s, W w, bool encrypted) {
  w.open_array("(say)");
  for (const sandbox::Credential& one : settings_of(s).set_credentials) {
    if (one.is_encrypted != encrypted) continue;
    w.open_struct("say").string(one.id);
    w.bytes(reinterpret_cast<const uint8_t*>(one.value.data()), one.value.size()).close();
  }
  w.close();
}

void load_credentials(S s, W w, bool encrypted) {
  w.open_array("(ss)");
  for (const sandbox::Credential& one : settings_of(s).load_credentials) {
    if (one.is_encrypted != encrypted) continue;
    w.open_struct("ss").string(one.id).string(one.value).close();
  }
  w.close();
}

void mount_flags(S s, W w) { w.u64(settings_of(s).mount_flags); }

void write_calls(W w, const sandbox::SystemCallFilter& filter) {
  std::vector<std::string> names;
  for (const auto& [name, error] : filter.calls) {
    names.push_back(error ? name + ":" + sandbox::errno_or_kill_name(*error) : name);
  }
  // As words, with their errors: "a64:EPERM" stands before "a:EPERM".
  std::sort(names.begin(), names.end());
  w.open_struct("bas").boolean(filter.is_allow_list).strings(names).close();
}
void syscall_filter(S s, W w) {
  write_calls(w, sandbox::expand_syscall_filter(settings_of(s).syscall_filter));
}
void syscall_log(S s, W w) {
  write_calls(w, sandbox::expand_syscall_filter(settings_of(s).syscall_log,
                                                sandbox::DefaultCalls::kLeftOut));
}
void syscall_architectures(S s, W w) {
  std::vector<std::string> names = settings_of(s).syscall_architectures;
  std::sort(names.begin(), names.end());
  w.strings(names);
}
void syscall_error(S s, W w) {
  const int error = settings_of(s).syscall_error;
  w.i32(error == sandbox::kKillProcess ? kBusKill : error);
}

void address_families(S s, W w) {
  const sandbox::AddressFamilies& list = settings_of(s).address_families;
  std::vector<std::string> names;
  for (const int family : list.families) names.push_back(sandbox::address_family_name(family));
  std::sort(names.begin(), names.end());
  w.open_struct("bas").boolean(list.is_allow_list).strings(names).close();
}

void namespaces(S s, W w) { w.u64(settings_of(s).allowed_namespaces.value_or(UINT64_MAX)); }

template <bool ReadOnly>
void binds(S s, W w) {
  w.open_array("(ssbt)");
  for (const sandbox::BindMount& one : settings_of(s).bind_mounts) {
    if (one.read_only != ReadOnly) continue;
    w.open_struct("ssbt").string(one.source).string(one.destination);
    w.boolean(one.ignore_missing).u64(one.recursive ? uint64_t{MS_REC} : 0).close();
  }
  w.close();
}

void temporary(S s, W w) {
  w.open_array("(ss)");
  for (const sandbox::TemporaryFileSystem& one : settings_of(s).temporary_file_systems) {
    w.open_struct("ss").string(one.path).string(one.options).close();
  }
  w.close();
}

void mount_api_vfs(S s, W w) {
  w.boolean(settings_of(s).mount_api_vfs.value_or(s.unit->settings.exec->has_other_root()));
}

}  // namespace

namespace bus_sandbox {

void PrivateTmp(S s, W w) { flag<&Settings::private_tmp>(s, w); }
void PrivateDevices(S s, W w) { flag<&Settings::private_devices>(s, w); }
void ProtectClock(S s, W w) { flag<&Settings::protect_clock>(s, w); }
void ProtectKernelTunables(S s, W w) { flag<&Settings::protect_kernel_tunables>(s, w); }
void ProtectKernelModules(S s, W w) { flag<&Settings::protect_kernel_modules>(s, w); }
void ProtectKernelLogs(S s, W w) { flag<&Settings::protect_kernel_logs>(s, w); }
void ProtectControlGroups(S s, W w) { flag<&Settings::protect_control_groups>(s, w); }
void PrivateNetwork(S s, W w) { flag<&Settings::private_network>(s, w); }
void PrivateUsers(S s, W w) { flag<&Settings::private_users>(s, w); }
void PrivateMounts(S s, W w) { flag<&Settings::private_mounts>(s, w); }
void PrivateIPC(S s, W w) { flag<&Settings::private_ipc>(s, w); }
void LockPersonality(S s, W w) { flag<&Settings::lock_personality>(s, w); }
void MemoryDenyWriteExecute(S s, W w) { flag<&Settings::memory_deny_write_execute>(s, w); }
void RestrictRealtime(S s, W w) { flag<&Settings::restrict_realtime>(s, w); }
void RestrictSUIDSGID(S s, W w) { flag<&Settings::restrict_suid_sgid>(s, w); }
void ProtectHostname(S s, W w) { flag<&Settings::protect_hostname>(s, w); }
void DynamicUser(S s, W w) { flag<&Settings::dynamic_user>(s, w); }
void RemoveIPC(S s, W w) { flag<&Settings::remove_ipc>(s, w); }
void RootDirectoryStartOnly(S s, W w) { flag<&Settings::root_directory_start_only>(s, w); }
void ReadWritePaths(S s, W w) { texts<&Settings::read_write_paths>(s, w); }
void ReadOnlyPaths(S s, W w) { texts<&Settings::read_only_paths>(s, w); }
void InaccessiblePaths(S s, W w) { texts<&Settings::inaccessible_paths>(s, w); }
void ExecPaths(S s, W w) { texts<&Settings::exec_paths>(s, w); }
void NoExecPaths(S s, W w) { texts<&Settings::no_exec_paths>(s, w); }
void PAMName(S s, W w) { text<&Settings::pam_name>(s, w); }
void NetworkNamespacePath(S s, W w) { text<&Settings::network_namespace_path>(s, w); }
void IPCNamespacePath(S s, W w) { text<&Settings::ipc_namespace_path>(s, w); }
void ProtectHome(S s, W w) { choice<&Settings::protect_home>(s, w); }
void ProtectSystem(S s, W w) { choice<&Settings::protect_system>(s, w); }
void ProtectProc(S s, W w) { choice<&Settings::protect_proc>(s, w); }
void ProcSubset(S s, W w) { choice<&Settings::proc_subset>(s, w); }
void SetCredential(S s, W w) { set_credentials(s, w, false); }
void SetCredentialEncrypted(S s, W w) { set_credentials(s, w, true); }
void LoadCredential(S s, W w) { load_credentials(s, w, false); }
void LoadCredentialEncrypted(S s, W w) { load_credentials(s, w, true); }
void MountFlags(S s, W w) { mount_flags(s, w); }
void SystemCallFilter(S s, W w) { syscall_filter(s, w); }
void SystemCallArchitectures(S s, W w) { syscall_architectures(s, w); }
void SystemCallErrorNumber(S s, W w) { syscall_error(s, w); }
void SystemCallLog(S s, W w) { syscall_log(s, w); }
void RestrictAddressFamilies(S s, W w) { address_families(s, w); }
void RestrictNamespaces(S s, W w) { namespaces(s, w); }
void BindPaths(S s, W w) { binds<false>(s, w); }
void BindReadOnlyPaths(S s, W w) { binds<true>(s, w); }
void TemporaryFileSystem(S s, W w) { temporary(s, w); }
void MountAPIVFS(S s, W w) { mount_api_vfs(s, w); }

}  // namespace bus_sandbox
}  // namespace flotilla::init
