// What a Manager is made of: its options, and the seams it stands on. Filled by the program
// (src/cmd/flotilla-init) with the real things, by tests with fakes.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "init/callback.h"
#include "init/children.h"
#include "init/exec_helper.h"
#include "init/keeper_link.h"
#include "init/path_watch.h"
#include "init/process_tracker.h"
#include "init/search_path.h"
#include "init/spawner.h"
#include "init/state_file.h"
#include "init/state_side_file.h"
#include "init/timers.h"
#include "init/unit_links.h"
#include "unit/specifier.h"

namespace flotilla::init {

// What /proc says of a process that exists (zombies do not count).
struct ProcessInfo {
  pid_t parent = 0;
  base::MonotonicTime started;  // to about a hundredth of a second
};

// Processes as the manager sees them: ends, signals, and what others' pids are. LinuxProcesses
// (linux_processes.h) is the real one.
class Processes {
 public:
  virtual ~Processes() = default;
  virtual void watch(ChildWatch& watch, pid_t pid) = 0;
  virtual void unwatch(ChildWatch& watch) noexcept = 0;
  // 0 or an errno. Pid 1, the manager and its keeper are no unit's: EINVAL.
  virtual int signal(pid_t pid, int signal) noexcept = 0;
  // Nothing where there is no such process, and for those that are no unit's.
  virtual std::optional<ProcessInfo> inspect(pid_t pid) const = 0;
  // A process we get exits of: our child, or one that falls to the keeper.
  virtual bool is_ours(const ProcessInfo& info) const noexcept = 0;
  virtual void fill_random(std::span<uint8_t> bytes) noexcept = 0;
};

// Where the output of services goes, and what the manager itself has to say about a unit.
// LogStreams (log_streams.h) is the real one.
class UnitLogs {
 public:
  struct Request {
    std::string_view unit;
    std::string_view identifier;
    int priority = 6;
    bool level_prefix = true;
    int priority_max = 7;                // LogLevelMax=
    bool separate_stderr = false;        // else one pipe takes both
    const ExecExtras* extras = nullptr;  // facility, fields and rate limit, where any is set
  };
  struct Fds {
    int out = -1;
    int err = -1;
  };

  virtual ~UnitLogs() = default;
  // The write ends for a unit's processes, opened once and kept until close_streams().
  virtual base::Result<Fds> open_streams(const Request& request) = 0;
  // The unit is over: its processes' copies of the write ends are the last.
  virtual void close_streams(std::string_view unit) noexcept = 0;
  virtual void set_pid(std::string_view unit, pid_t pid) noexcept = 0;
  // One line of the manager's own; an empty unit: about itself.
  virtual void message(std::string_view unit, int priority, std::string_view text) = 0;
  // Sends what was queued; at the end of a turn.
  virtual void flush() {}
};

enum class FinalAction : uint8_t { kExit, kReboot, kPoweroff, kHalt, kReexec };

// What the manager asks of the program around it.
class ManagerHost {
 public:
  virtual ~ManagerHost() = default;
  // Calls Manager::Impl::run_turn() at the end of this turn of the loop.
  virtual void request_turn() noexcept = 0;
  // A process was just started: what the first of a boot must not wait for can be done.
  virtual void on_spawn() {}
  // Everything is stopped (or handed over, for kReexec): end now.
  virtual void finish(FinalAction action, int exit_code) = 0;
  // Calls the source while any of `events` (EPOLL*, 0: hang-ups alone) holds at `fd`.
  virtual base::Status watch(FdSource&, int /*fd*/, uint32_t /*events*/) {
    return base::unsupported("descriptors cannot be watched here");
  }
  // Removes a file of the services' world, if it is there.
  virtual void remove_file(const std::string& /*path*/) {}
};

struct ManagerOptions {
  ManagerScope scope = ManagerScope::kSystem;
  std::vector<UnitDirectory> unit_directories;
  unit::HostValues host_values;
  std::string default_unit = "default.target";
  std::vector<std::string> environment;  // NAME=VALUE, what services inherit: PATH, LANG, ...
  std::string notify_socket;             // host path of the notification socket; empty: none
  std::string runtime_directory = "/run";
  std::string config_directory = "/etc/systemd/system";  // of links that last
  std::string runtime_unit_directory = "/run/systemd/system";
  std::string control_group;  // the manager's own, under the cgroup root; empty without one
  std::optional<rlimit> inherited_descriptors;  // what services get where LimitNOFILE= is not set
  int log_level = 6;
  bool service_watchdogs = true;  // false: a service that forgets its watchdog goes on
  bool is_pid1 = false;
  bool lists_mounts = false;  // those of the machine are this manager's business
};

// All outlive the manager.
struct ManagerEdges {
  Timers& timers;
  Spawner& spawner;
  ProcessTracker& tracker;
  Processes& processes;
  base::FileTree& tree;        // of unit files and links: --root=
  const base::FileTree& host;  // what services see: users, conditions, EnvironmentFile=, PIDFile=
  StateFile& state;
  StateSideFile* side = nullptr;  // null: status texts do not outlive the manager
  UnitLogs& logs;
  ManagerHost& program;
  PathWatcher& paths;                // of PIDFile=
  KeeperPort* keeper = nullptr;      // null: descriptors do not outlive the manager
  ExecHelper* helper = nullptr;      // null: no unit can be sandboxed
  const UnitLinks* links = nullptr;  // null: nobody asks for what they tell
};

}  // namespace flotilla::init
