// The properties of everything that runs processes: environment, limits, streams, user, signals.
#pragma once

#include <array>

#include "init/bus_limits.h"
#include "init/bus_table.h"
#include "init/bus_tables_sandbox.h"

namespace flotilla::init {

// One value of the process environment as the bus shows it; defined in bus_tables_exec.cc.
namespace bus_exec {
using S = const BusSubject&;
using W = bus::MessageWriter&;

void environment(S s, W w);
void environment_files(S s, W w);
void pass_environment(S s, W w);
void unset_environment(S s, W w);
void umask(S s, W w);
void working_directory(S s, W w);
void root_directory(S s, W w);
void nice(S s, W w);
void oom_score_adjust(S s, W w);
bool has_oom_score_adjust(S s);
void standard_input(S s, W w);
void standard_output(S s, W w);
void standard_error(S s, W w);
void syslog_identifier(S s, W w);
void syslog_level(S s, W w);
void syslog_level_prefix(S s, W w);
void user(S s, W w);
void group(S s, W w);
void supplementary_groups(S s, W w);
void ignore_sigpipe(S s, W w);
void no_new_privileges(S s, W w);
void kill_mode(S s, W w);
void kill_signal(S s, W w);
void restart_kill_signal(S s, W w);
void final_kill_signal(S s, W w);
void send_sigkill(S s, W w);
void send_sighup(S s, W w);
void watchdog_signal(S s, W w);

// Of ExecExtras, in bus_tables_exec_extras.cc.
void coredump_filter(S s, W w);
void io_class(S s, W w);
void io_priority(S s, W w);
void cpu_policy(S s, W w);
void cpu_priority(S s, W w);
void cpu_affinity(S s, W w);
void cpu_affinity_from_numa(S s, W w);
void numa_policy(S s, W w);
void numa_mask(S s, W w);
void timer_slack(S s, W w);
void cpu_reset_on_fork(S s, W w);
void input_fd_name(S s, W w);
void input_data(S s, W w);
void output_fd_name(S s, W w);
void error_fd_name(S s, W w);
void tty_path(S s, W w);
void tty_reset(S s, W w);
void tty_vhangup(S s, W w);
void tty_vt_disallocate(S s, W w);
void tty_rows(S s, W w);
void tty_columns(S s, W w);
void syslog_priority(S s, W w);
void syslog_facility(S s, W w);
void log_level_max(S s, W w);
void log_rate_limit_interval(S s, W w);
void log_rate_limit_burst(S s, W w);
void log_extra_fields(S s, W w);
void log_namespace(S s, W w);
void secure_bits(S s, W w);
void capability_bounding_set(S s, W w);
void ambient_capabilities(S s, W w);
void exec_search_path(S s, W w);
void utmp_identifier(S s, W w);
void utmp_mode(S s, W w);
void personality(S s, W w);
void runtime_directory_preserve(S s, W w);
void timeout_clean(S s, W w);
void keyring_mode(S s, W w);
void non_blocking(S s, W w);
void same_process_group(S s, W w);
void write_directory_links(S s, W w, DirectoryKind kind);
void write_directory_mode(S s, W w, DirectoryKind kind);
void write_directory_paths(S s, W w, DirectoryKind kind);
template <DirectoryKind Kind>
void directory_links(S s, W w) {
  write_directory_links(s, w, Kind);
}
template <DirectoryKind Kind>
void directory_mode(S s, W w) {
  write_directory_mode(s, w, Kind);
}
template <DirectoryKind Kind>
void directory_paths(S s, W w) {
  write_directory_paths(s, w, Kind);
}

enum class Bound { kHard, kSoft };
void write_limit(S s, W w, int resource, Bound bound);
template <int Resource, Bound B>
void limit(S s, W w) {
  write_limit(s, w, Resource, B);
}
}  // namespace bus_exec

#define FLOTILLA_LIMIT(name, resource)                                                         \
  BusProperty{"Limit" name, "t", Emits::kConst,                                                \
              bus_exec::limit<resource, bus_exec::Bound::kHard>},                              \
      BusProperty {                                                                            \
    "Limit" name "Soft", "t", Emits::kConst, bus_exec::limit<resource, bus_exec::Bound::kSoft> \
  }

inline constexpr auto kBusExecProperties = std::to_array<BusProperty>({
    {"Environment", "as", Emits::kConst, bus_exec::environment},
    {"EnvironmentFiles", "a(sb)", Emits::kConst, bus_exec::environment_files},
    {"PassEnvironment", "as", Emits::kConst, bus_exec::pass_environment},
    {"UnsetEnvironment", "as", Emits::kConst, bus_exec::unset_environment},
    {"UMask", "u", Emits::kConst, bus_exec::umask},
    FLOTILLA_EACH_LIMIT(FLOTILLA_LIMIT),
    {"WorkingDirectory", "s", Emits::kConst, bus_exec::working_directory},
    {"RootDirectory", "s", Emits::kConst, bus_exec::root_directory},
    {"OOMScoreAdjust", "i", Emits::kConst, bus_exec::oom_score_adjust,
     bus_exec::has_oom_score_adjust},
    {"CoredumpFilter", "t", Emits::kConst, bus_exec::coredump_filter},
    {"Nice", "i", Emits::kConst, bus_exec::nice},
    {"IOSchedulingClass", "i", Emits::kConst, bus_exec::io_class},
    {"IOSchedulingPriority", "i", Emits::kConst, bus_exec::io_priority},
    {"CPUSchedulingPolicy", "i", Emits::kConst, bus_exec::cpu_policy},
    {"CPUSchedulingPriority", "i", Emits::kConst, bus_exec::cpu_priority},
    {"CPUAffinity", "ay", Emits::kConst, bus_exec::cpu_affinity},
    {"CPUAffinityFromNUMA", "b", Emits::kConst, bus_exec::cpu_affinity_from_numa},
    {"NUMAPolicy", "i", Emits::kConst, bus_exec::numa_policy},
    {"NUMAMask", "ay", Emits::kConst, bus_exec::numa_mask},
    {"TimerSlackNSec", "t", Emits::kConst, bus_exec::timer_slack},
    {"CPUSchedulingResetOnFork", "b", Emits::kConst, bus_exec::cpu_reset_on_fork},
    {"NonBlocking", "b", Emits::kConst, bus_exec::non_blocking},
    {"StandardInput", "s", Emits::kConst, bus_exec::standard_input},
    {"StandardInputFileDescriptorName", "s", Emits::kConst, bus_exec::input_fd_name},
    {"StandardInputData", "ay", Emits::kConst, bus_exec::input_data},
    {"StandardOutput", "s", Emits::kConst, bus_exec::standard_output},
    {"StandardOutputFileDescriptorName", "s", Emits::kConst, bus_exec::output_fd_name},
    {"StandardError", "s", Emits::kConst, bus_exec::standard_error},
    {"StandardErrorFileDescriptorName", "s", Emits::kConst, bus_exec::error_fd_name},
    {"TTYPath", "s", Emits::kConst, bus_exec::tty_path},
    {"TTYReset", "b", Emits::kConst, bus_exec::tty_reset},
    {"TTYVHangup", "b", Emits::kConst, bus_exec::tty_vhangup},
    {"TTYVTDisallocate", "b", Emits::kConst, bus_exec::tty_vt_disallocate},
    {"TTYRows", "q", Emits::kConst, bus_exec::tty_rows},
    {"TTYColumns", "q", Emits::kConst, bus_exec::tty_columns},
    {"SyslogPriority", "i", Emits::kConst, bus_exec::syslog_priority},
    {"SyslogIdentifier", "s", Emits::kConst, bus_exec::syslog_identifier},
    {"SyslogLevelPrefix", "b", Emits::kConst, bus_exec::syslog_level_prefix},
    {"SyslogLevel", "i", Emits::kConst, bus_exec::syslog_level},
    {"SyslogFacility", "i", Emits::kConst, bus_exec::syslog_facility},
    {"LogLevelMax", "i", Emits::kConst, bus_exec::log_level_max},
    {"LogRateLimitIntervalUSec", "t", Emits::kConst, bus_exec::log_rate_limit_interval},
    {"LogRateLimitBurst", "u", Emits::kConst, bus_exec::log_rate_limit_burst},
    {"LogExtraFields", "aay", Emits::kConst, bus_exec::log_extra_fields},
    {"LogNamespace", "s", Emits::kConst, bus_exec::log_namespace},
    {"SecureBits", "i", Emits::kConst, bus_exec::secure_bits},
    {"CapabilityBoundingSet", "t", Emits::kConst, bus_exec::capability_bounding_set},
    {"AmbientCapabilities", "t", Emits::kConst, bus_exec::ambient_capabilities},
    {"User", "s", Emits::kConst, bus_exec::user},
    {"Group", "s", Emits::kConst, bus_exec::group},
    {"DynamicUser", "b", Emits::kConst, bus_sandbox::DynamicUser},
    {"RemoveIPC", "b", Emits::kConst, bus_sandbox::RemoveIPC},
    {"SetCredential", "a(say)", Emits::kConst, bus_sandbox::SetCredential},
    {"SetCredentialEncrypted", "a(say)", Emits::kConst, bus_sandbox::SetCredentialEncrypted},
    {"LoadCredential", "a(ss)", Emits::kConst, bus_sandbox::LoadCredential},
    {"LoadCredentialEncrypted", "a(ss)", Emits::kConst, bus_sandbox::LoadCredentialEncrypted},
    {"SupplementaryGroups", "as", Emits::kConst, bus_exec::supplementary_groups},
    {"PAMName", "s", Emits::kConst, bus_sandbox::PAMName},
    {"ReadWritePaths", "as", Emits::kConst, bus_sandbox::ReadWritePaths},
    {"ReadOnlyPaths", "as", Emits::kConst, bus_sandbox::ReadOnlyPaths},
    {"InaccessiblePaths", "as", Emits::kConst, bus_sandbox::InaccessiblePaths},
    {"ExecPaths", "as", Emits::kConst, bus_sandbox::ExecPaths},
    {"NoExecPaths", "as", Emits::kConst, bus_sandbox::NoExecPaths},
    {"ExecSearchPath", "as", Emits::kConst, bus_exec::exec_search_path},
    {"MountFlags", "t", Emits::kConst, bus_sandbox::MountFlags},
    {"PrivateTmp", "b", Emits::kConst, bus_sandbox::PrivateTmp},
    {"PrivateDevices", "b", Emits::kConst, bus_sandbox::PrivateDevices},
    {"ProtectClock", "b", Emits::kConst, bus_sandbox::ProtectClock},
    {"ProtectKernelTunables", "b", Emits::kConst, bus_sandbox::ProtectKernelTunables},
    {"ProtectKernelModules", "b", Emits::kConst, bus_sandbox::ProtectKernelModules},
    {"ProtectKernelLogs", "b", Emits::kConst, bus_sandbox::ProtectKernelLogs},
    {"ProtectControlGroups", "b", Emits::kConst, bus_sandbox::ProtectControlGroups},
    {"PrivateNetwork", "b", Emits::kConst, bus_sandbox::PrivateNetwork},
    {"PrivateUsers", "b", Emits::kConst, bus_sandbox::PrivateUsers},
    {"PrivateMounts", "b", Emits::kConst, bus_sandbox::PrivateMounts},
    {"PrivateIPC", "b", Emits::kConst, bus_sandbox::PrivateIPC},
    {"ProtectHome", "s", Emits::kConst, bus_sandbox::ProtectHome},
    {"ProtectSystem", "s", Emits::kConst, bus_sandbox::ProtectSystem},
    {"SameProcessGroup", "b", Emits::kConst, bus_exec::same_process_group},
    {"UtmpIdentifier", "s", Emits::kConst, bus_exec::utmp_identifier},
    {"UtmpMode", "s", Emits::kConst, bus_exec::utmp_mode},
    {"IgnoreSIGPIPE", "b", Emits::kConst, bus_exec::ignore_sigpipe},
    {"NoNewPrivileges", "b", Emits::kConst, bus_exec::no_new_privileges},
    {"SystemCallFilter", "(bas)", Emits::kConst, bus_sandbox::SystemCallFilter},
    {"SystemCallArchitectures", "as", Emits::kConst, bus_sandbox::SystemCallArchitectures},
    {"SystemCallErrorNumber", "i", Emits::kConst, bus_sandbox::SystemCallErrorNumber},
    {"SystemCallLog", "(bas)", Emits::kConst, bus_sandbox::SystemCallLog},
    {"Personality", "s", Emits::kConst, bus_exec::personality},
    {"LockPersonality", "b", Emits::kConst, bus_sandbox::LockPersonality},
    {"RestrictAddressFamilies", "(bas)", Emits::kConst, bus_sandbox::RestrictAddressFamilies},
    {"RuntimeDirectorySymlink", "a(sst)", Emits::kConst,
     bus_exec::directory_links<DirectoryKind::kRuntime>},
    {"RuntimeDirectoryPreserve", "s", Emits::kConst, bus_exec::runtime_directory_preserve},
    {"RuntimeDirectoryMode", "u", Emits::kConst, bus_exec::directory_mode<DirectoryKind::kRuntime>},
    {"RuntimeDirectory", "as", Emits::kConst, bus_exec::directory_paths<DirectoryKind::kRuntime>},
    {"StateDirectorySymlink", "a(sst)", Emits::kConst,
     bus_exec::directory_links<DirectoryKind::kState>},
    {"StateDirectoryMode", "u", Emits::kConst, bus_exec::directory_mode<DirectoryKind::kState>},
    {"StateDirectory", "as", Emits::kConst, bus_exec::directory_paths<DirectoryKind::kState>},
    {"CacheDirectorySymlink", "a(sst)", Emits::kConst,
     bus_exec::directory_links<DirectoryKind::kCache>},
    {"CacheDirectoryMode", "u", Emits::kConst, bus_exec::directory_mode<DirectoryKind::kCache>},
    {"CacheDirectory", "as", Emits::kConst, bus_exec::directory_paths<DirectoryKind::kCache>},
    {"LogsDirectorySymlink", "a(sst)", Emits::kConst,
     bus_exec::directory_links<DirectoryKind::kLogs>},
    {"LogsDirectoryMode", "u", Emits::kConst, bus_exec::directory_mode<DirectoryKind::kLogs>},
    {"LogsDirectory", "as", Emits::kConst, bus_exec::directory_paths<DirectoryKind::kLogs>},
    {"ConfigurationDirectoryMode", "u", Emits::kConst,
     bus_exec::directory_mode<DirectoryKind::kConfiguration>},
    {"ConfigurationDirectory", "as", Emits::kConst,
     bus_exec::directory_paths<DirectoryKind::kConfiguration>},
    {"TimeoutCleanUSec", "t", Emits::kConst, bus_exec::timeout_clean},
    {"MemoryDenyWriteExecute", "b", Emits::kConst, bus_sandbox::MemoryDenyWriteExecute},
    {"RestrictRealtime", "b", Emits::kConst, bus_sandbox::RestrictRealtime},
    {"RestrictSUIDSGID", "b", Emits::kConst, bus_sandbox::RestrictSUIDSGID},
    {"RestrictNamespaces", "t", Emits::kConst, bus_sandbox::RestrictNamespaces},
    {"BindPaths", "a(ssbt)", Emits::kConst, bus_sandbox::BindPaths},
    {"BindReadOnlyPaths", "a(ssbt)", Emits::kConst, bus_sandbox::BindReadOnlyPaths},
    {"TemporaryFileSystem", "a(ss)", Emits::kConst, bus_sandbox::TemporaryFileSystem},
    {"MountAPIVFS", "b", Emits::kConst, bus_sandbox::MountAPIVFS},
    {"KeyringMode", "s", Emits::kConst, bus_exec::keyring_mode},
    {"ProtectProc", "s", Emits::kConst, bus_sandbox::ProtectProc},
    {"ProcSubset", "s", Emits::kConst, bus_sandbox::ProcSubset},
    {"ProtectHostname", "b", Emits::kConst, bus_sandbox::ProtectHostname},
    {"NetworkNamespacePath", "s", Emits::kConst, bus_sandbox::NetworkNamespacePath},
    {"IPCNamespacePath", "s", Emits::kConst, bus_sandbox::IPCNamespacePath},
    {"KillMode", "s", Emits::kConst, bus_exec::kill_mode},
    {"KillSignal", "i", Emits::kConst, bus_exec::kill_signal},
    {"RestartKillSignal", "i", Emits::kConst, bus_exec::restart_kill_signal},
    {"FinalKillSignal", "i", Emits::kConst, bus_exec::final_kill_signal},
    {"SendSIGKILL", "b", Emits::kConst, bus_exec::send_sigkill},
    {"SendSIGHUP", "b", Emits::kConst, bus_exec::send_sighup},
    {"WatchdogSignal", "i", Emits::kConst, bus_exec::watchdog_signal},
});
#undef FLOTILLA_LIMIT

}  // namespace flotilla::init
