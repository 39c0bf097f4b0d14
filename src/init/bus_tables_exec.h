// The properties of everything that runs processes: environment, limits, streams, user, signals.
#pragma once

#include <array>

#include "init/bus_table.h"

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
    FLOTILLA_LIMIT("CPU", RLIMIT_CPU),
    FLOTILLA_LIMIT("FSIZE", RLIMIT_FSIZE),
    FLOTILLA_LIMIT("DATA", RLIMIT_DATA),
    FLOTILLA_LIMIT("STACK", RLIMIT_STACK),
    FLOTILLA_LIMIT("CORE", RLIMIT_CORE),
    FLOTILLA_LIMIT("RSS", RLIMIT_RSS),
    FLOTILLA_LIMIT("NOFILE", RLIMIT_NOFILE),
    FLOTILLA_LIMIT("AS", RLIMIT_AS),
    FLOTILLA_LIMIT("NPROC", RLIMIT_NPROC),
    FLOTILLA_LIMIT("MEMLOCK", RLIMIT_MEMLOCK),
    FLOTILLA_LIMIT("LOCKS", RLIMIT_LOCKS),
    FLOTILLA_LIMIT("SIGPENDING", RLIMIT_SIGPENDING),
    FLOTILLA_LIMIT("MSGQUEUE", RLIMIT_MSGQUEUE),
    FLOTILLA_LIMIT("NICE", RLIMIT_NICE),
    FLOTILLA_LIMIT("RTPRIO", RLIMIT_RTPRIO),
    FLOTILLA_LIMIT("RTTIME", RLIMIT_RTTIME),
    {"WorkingDirectory", "s", Emits::kConst, bus_exec::working_directory},
    {"RootDirectory", "s", Emits::kConst, bus_exec::root_directory},
    {"OOMScoreAdjust", "i", Emits::kConst, bus_exec::oom_score_adjust,
     bus_exec::has_oom_score_adjust},
    {"Nice", "i", Emits::kConst, bus_exec::nice},
    {"StandardInput", "s", Emits::kConst, bus_exec::standard_input},
    {"StandardOutput", "s", Emits::kConst, bus_exec::standard_output},
    {"StandardError", "s", Emits::kConst, bus_exec::standard_error},
    {"SyslogIdentifier", "s", Emits::kConst, bus_exec::syslog_identifier},
    {"SyslogLevelPrefix", "b", Emits::kConst, bus_exec::syslog_level_prefix},
    {"SyslogLevel", "i", Emits::kConst, bus_exec::syslog_level},
    {"User", "s", Emits::kConst, bus_exec::user},
    {"Group", "s", Emits::kConst, bus_exec::group},
    {"SupplementaryGroups", "as", Emits::kConst, bus_exec::supplementary_groups},
    {"IgnoreSIGPIPE", "b", Emits::kConst, bus_exec::ignore_sigpipe},
    {"NoNewPrivileges", "b", Emits::kConst, bus_exec::no_new_privileges},
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
