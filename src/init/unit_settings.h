// What a unit's files say, typed: the loader makes it, everything else in init/ reads it. Plain
// values; a reload makes a new one and replaces the old as a whole.
#pragma once

#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "init/exec_extras.h"
#include "init/lazy.h"
#include "init/mount_settings.h"
#include "init/service_commands.h"
#include "init/shared.h"
#include "init/shared_text.h"
#include "init/sparse_array.h"
#include "init/unit_actions.h"
#include "sandbox/settings.h"
#include "unit/unit_name.h"

namespace flotilla::init {

using base::Micros;
inline constexpr Micros kInfinity = Micros::max();

enum class LoadState : uint8_t { kStub, kLoaded, kNotFound, kBadSetting, kError, kMerged, kMasked };

// Requirement and ordering dependencies, and their inverses, each a set of names. Names are
// systemd's.
enum class Dependency : uint8_t {
  kRequires,
  kRequisite,
  kWants,
  kBindsTo,
  kPartOf,
  kUpholds,
  kConflicts,
  kBefore,
  kAfter,
  kOnFailure,
  kOnSuccess,
  kPropagatesReloadTo,
  kReloadPropagatedFrom,
  kPropagatesStopTo,
  kStopPropagatedFrom,
  kTriggers,
  kJoinsNamespaceOf,
  // Inverses, filled by the graph:
  kRequiredBy,
  kRequisiteOf,
  kWantedBy,
  kBoundBy,
  kConsistsOf,
  kUpheldBy,
  kConflictedBy,
  kTriggeredBy,
  kOnFailureOf,
  kOnSuccessOf,
  kCount,
};

enum class ServiceType : uint8_t {
  kSimple,
  kExec,
  kForking,
  kOneshot,
  kDbus,
  kNotify,
  kIdle,
  kNotifyReload
};
constexpr bool says_ready(ServiceType type) noexcept {
  return type == ServiceType::kNotify || type == ServiceType::kNotifyReload;
}

// How a request treats what is in its way. Numbers stand in no file.
enum class JobMode : uint8_t {
  kFail = 0,
  kReplace = 1,
  kReplaceIrreversibly = 2,
  kIsolate = 3,
  kFlush = 4,
  kIgnoreDependencies = 5,
  kIgnoreRequirements = 6,
  kTriggering = 7,
};

enum class RestartSetting : uint8_t {
  kNo,
  kOnSuccess,
  kOnFailure,
  kOnAbnormal,
  kOnWatchdog,
  kOnAbort,
  kAlways
};
enum class KillMode : uint8_t { kControlGroup, kProcess, kMixed, kNone };
enum class NotifyAccess : uint8_t { kNone, kMain, kExec, kAll };
enum class ExitType : uint8_t { kMain, kCgroup };
enum class OomPolicy : uint8_t { kContinue, kStop, kKill };
enum class TimeoutFailureMode : uint8_t { kTerminate, kAbort, kKill };

// One condition or assertion line.
struct Condition {
  std::string kind;       // "PathExists", without Condition/Assert
  std::string parameter;  // specifiers expanded
  bool trigger = false;   // '|'
  bool negate = false;    // '!'
  int8_t result = 0;      // of its last look: 1 it holds, -1 it does not, 0 nobody looked
};

// Exit statuses and signals as SuccessExitStatus= and its kin list them.
struct ExitStatusSet {
  std::vector<uint8_t> statuses;
  std::vector<int> signals;
  bool empty() const { return statuses.empty() && signals.empty(); }
  bool operator==(const ExitStatusSet&) const = default;
};

struct KillSettings {
  KillMode mode = KillMode::kControlGroup;
  uint8_t kill_signal = 15;
  uint8_t restart_kill_signal = 0;  // 0: kill_signal
  uint8_t final_kill_signal = 9;
  uint8_t watchdog_signal = 6;
  bool send_sigkill = true;
  bool send_sighup = false;
};

// Where a standard stream goes or comes from.
struct StreamSetting {
  enum class Kind : uint8_t {
    kInherit,
    kNull,
    kJournal,
    kKmsg,
    kFile,
    kAppend,
    kTruncate,
    kTty,
    kSocket,
    kFd,
    kData
  };
  Kind kind = Kind::kNull;
  std::string path_or_name;   // of file:, append:, truncate:, fd:; how a terminal is got
  bool with_console = false;  // "+console"
};

struct ExecSettings {
  std::string user, group;  // as written, specifiers expanded; empty: the manager's
  std::vector<std::string> supplementary_groups;
  std::string working_directory;              // empty: "/" (system) or home (user manager); "~"
  bool working_directory_missing_ok = false;  // '-' prefix
  std::string root_directory;
  bool has_other_root() const { return !root_directory.empty() && root_directory != "/"; }
  std::vector<std::string> environment;                         // NAME=VALUE, last wins
  std::vector<std::pair<std::string, bool>> environment_files;  // path, missing_ok
  std::vector<std::string> pass_environment, unset_environment;
  std::optional<uint32_t> umask;
  SparseArray<std::optional<rlimit>, RLIM_NLIMITS> limits;
  std::optional<int> nice, oom_score_adjust;
  bool no_new_privileges = false;
  bool ignore_sigpipe = true;
  StreamSetting standard_input{StreamSetting::Kind::kNull, {}};
  StreamSetting standard_output{StreamSetting::Kind::kJournal, {}};
  StreamSetting standard_error{StreamSetting::Kind::kInherit, {}};
  std::string syslog_identifier;
  int syslog_level = 6;
  bool syslog_level_prefix = true;
  Lazy<ExecExtras> extras;  // what few units set
  Lazy<sandbox::Settings> sandbox;
};

// What most services do not have. Behind a Lazy in ServiceSettings.
struct ServiceExtras {
  std::string pid_file, bus_name;
  ExitStatusSet success_status, restart_prevent, restart_force;
  bool operator==(const ServiceExtras&) const = default;
};

// Without its commands: these are what services have in common.
struct ServiceSettings {
  ServiceType type = ServiceType::kSimple;
  RestartSetting restart = RestartSetting::kNo;
  TimeoutFailureMode timeout_start_failure_mode = TimeoutFailureMode::kTerminate;
  TimeoutFailureMode timeout_stop_failure_mode = TimeoutFailureMode::kTerminate;
  uint32_t fd_store_max = 0;
  Micros restart_sec{100'000};
  Micros timeout_start{90'000'000};  // kInfinity: none; the loader resolves oneshot's default
  Micros timeout_stop{90'000'000};
  std::optional<Micros> timeout_abort;  // unset: as timeout_stop
  Micros runtime_max = kInfinity;
  Micros runtime_extra{0};  // RuntimeRandomizedExtraSec=
  Micros watchdog{0};
  bool remain_after_exit = false;
  bool guess_main_pid = true;
  bool non_blocking = false;
  ExitType exit_type = ExitType::kMain;
  OomPolicy oom_policy = OomPolicy::kStop;
  uint8_t reload_signal = 1;  // of Type=notify-reload
  NotifyAccess notify_access =
      NotifyAccess::kNone;  // resolved: kMain where it was left unset and is needed
  Lazy<ServiceExtras> extras;
  bool operator==(const ServiceSettings&) const = default;
};

// How often a unit may be started, and how long its jobs may take.
struct UnitLimits {
  uint32_t start_burst = 5;
  Micros start_interval{10'000'000};
  Micros job_timeout = kInfinity, job_running_timeout = kInfinity;
  bool operator==(const UnitLimits&) const = default;
};

struct CgroupSettings;  // cgroup_settings.h

// What most units do not have. Behind a Lazy in UnitSettings.
struct UnitExtras {
  std::vector<unit::UnitName> aliases;  // further names, without the unit's own
  std::string load_error;  // one sentence, where load_state is kNotFound, kBadSetting or kError
  std::string load_error_bus_name;
  std::string source_path;  // of the file that the unit's was generated from
  std::vector<std::string> drop_in_paths;
  std::vector<std::string> documentation;
  std::vector<std::string> requires_mounts_for;
  Lazy<UnitActions> actions;
  // Of services, slices and scopes; null: nothing is set. Shared by copies, so that who changes it
  // puts a new one here.
  std::shared_ptr<const CgroupSettings> cgroup;
  Lazy<MountSettings> mount;  // of mounts
  // Of sockets: "Stream" and where, in order.
  Lazy<std::vector<std::pair<std::string, std::string>>> listens;
  std::vector<Condition> conditions, assertions;
  std::vector<std::string> ignored_directives;  // "Section.Key", known and not implemented yet
  std::vector<std::string> warnings;            // "file:line: text"
};

struct UnitSettings {
  explicit UnitSettings(unit::UnitName unit_name)
      : name(std::move(unit_name)),
        ignore_on_isolate(
            name.type() == unit::UnitType::kSlice || name.type() == unit::UnitType::kScope ||
            name.type() == unit::UnitType::kMount || name.type() == unit::UnitType::kDevice) {}

  unit::UnitName name;
  int64_t files_mtime_usec = 0;  // the newest of its files, for NeedDaemonReload

  // The unit's own file, as seen inside the tree; without a directory there is none. Units whose
  // files are in one directory share its text, and most files have the name of their unit.
  SharedText fragment_directory, fragment_name;
  std::string fragment_path() const;
  void set_fragment(SharedText directory, std::string_view file_name);

  SharedText description;
  SharedText slice;  // of units that may be in one; see slice_of()
  // The manager's graph keeps them: empty once the unit is in it.
  SparseArray<std::vector<unit::UnitName>, static_cast<size_t>(Dependency::kCount)> dependencies;

  LoadState load_state = LoadState::kStub;
  bool default_dependencies = true;
  bool stop_when_unneeded = false;
  bool refuse_manual_start = false, refuse_manual_stop = false;
  bool allow_isolate = false, ignore_on_isolate;
  bool has_install_section = false;
  bool collect_failed = false;  // CollectMode=inactive-or-failed
  JobMode on_failure_job_mode = JobMode::kReplace, on_success_job_mode = JobMode::kFail;

  Shared<UnitLimits> limits;
  Lazy<UnitExtras> extras;

  KillSettings kill;
  Lazy<ExecSettings> exec;          // of services
  Shared<ServiceSettings> service;  // of services
  ServiceCommands commands;         // of services and mounts
};

// The slice that the unit is in, empty for none: what is set, or what a slice's own name says.
std::string slice_of(const UnitSettings& settings);

}  // namespace flotilla::init
