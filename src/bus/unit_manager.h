// The unit manager seam (systemd1): all that the cluster's agent asks of the service manager of its
// machine, be that flotilla-init or systemd. Implementations: Systemd1Client over D-Bus,
// FakeUnitManager in memory; both pass unit_manager_conformance.h.
//
// Loop thread only. No call blocks and no callback runs inside the call that was given it. Every
// `done` is called exactly once, unless the UnitManager is destroyed first: then never. While there
// is no connection, and for calls that were in flight when it broke, `done` gets kUnavailable;
// whether the call took effect is then unknown.
//
// Errors carry the manager's D-Bus error name in Error::bus_name: kNotFound for NoSuchUnit and
// LoadFailed-not-found, kDenied for access, kConflict for refused or destructive jobs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "bus/value.h"

namespace flotilla::bus {

template <typename T>
using Done = std::function<void(base::Result<T>)>;

enum class JobMode : uint8_t { kReplace, kFail, kIgnoreDependencies };

// How a job ended; the words are systemd's (to_string).
enum class JobResult : uint8_t {
  kDone,
  kCanceled,
  kTimeout,
  kFailed,
  kDependency,
  kSkipped,
  kInvalid,
  kAssert,
  kUnsupported,
  kCollected,
  kOnce,
  kUnknown,  // a word we do not know
};

// Which processes of a unit a signal goes to.
enum class KillWho : uint8_t { kAll, kMain, kControl };

struct UnitState {
  std::string name;
  std::string description;
  std::string load_state;    // "loaded", "not-found", "masked", "error", "bad-setting"
  std::string active_state;  // "active", "inactive", "failed", "activating", "deactivating" ...
  std::string sub_state;     // "running", "dead", "start-pre" ...
  uint32_t job_id = 0;       // 0: none queued
  std::string job_type;      // "start", "stop" ... or empty

  friend bool operator==(const UnitState&, const UnitState&) = default;
};

// A unit has changed. Only the fields that the manager told of are filled, the others are empty.
struct UnitChange {
  std::string name;
  std::string load_state;
  std::string active_state;
  std::string sub_state;
  std::optional<uint64_t> active_enter_usec = {};  // wall clock, where the manager tells it
};

struct JobRemoved {
  uint32_t id = 0;
  std::string unit;
  JobResult result = JobResult::kUnknown;
};

struct UnitFileChange {
  std::string type;  // "symlink" or "unlink"
  std::string path;
  std::string target;  // of a symlink
};

struct EnableOutcome {
  bool carries_install_info = false;  // the unit file has an [Install] section that says something
  std::vector<UnitFileChange> changes;
};

struct UnitProcess {
  std::string cgroup;
  uint32_t pid = 0;
  std::string command_line;
};

class UnitManagerListener {
 public:
  virtual ~UnitManagerListener() = default;
  // Connected and subscribed: from here on no change goes unreported; read the states now.
  virtual void on_connected() {}
  // Nothing is heard until on_connected(). Reconnecting goes on by itself.
  virtual void on_disconnected(const base::Error& /*why*/) {}
  virtual void on_job_removed(const JobRemoved& /*job*/) {}
  virtual void on_unit_changed(const UnitChange& /*change*/) {}
  // The manager has forgotten the unit (it is dead and nobody refers to it).
  virtual void on_unit_removed(const std::string& /*unit*/) {}
  // The manager has read all unit files anew: load states may have changed unannounced.
  virtual void on_reloaded() {}
};

class UnitManager {
 public:
  virtual ~UnitManager() = default;

  virtual bool is_connected() const = 0;
  // Tells `listener` of what happens until the registration ends. If the manager is connected,
  // on_connected() follows soon.
  virtual base::RegistrationPtr subscribe(UnitManagerListener& listener) = 0;

  // Unit files. All changes are made for the run time of the machine only (under /run), replacing
  // what is in the way. `paths` are absolute paths of files outside the manager's search path;
  // `names` are unit names.
  virtual void link_unit_files(std::vector<std::string> paths,
                               Done<std::vector<UnitFileChange>> done) = 0;
  virtual void enable_unit_files(std::vector<std::string> names, Done<EnableOutcome> done) = 0;
  // Removes every link to the units, so also undoes link_unit_files().
  virtual void disable_unit_files(std::vector<std::string> names,
                                  Done<std::vector<UnitFileChange>> done) = 0;
  // Reads all unit files anew (daemon-reload).
  virtual void reload_daemon(Done<void> done) = 0;

  // Jobs. `done` gets the job's result when it has ended, or the error that refused it. A job whose
  // result was lost with the connection is kUnavailable.
  virtual void start(std::string_view unit, JobMode mode, Done<JobResult> done) = 0;
  virtual void stop(std::string_view unit, JobMode mode, Done<JobResult> done) = 0;
  virtual void restart(std::string_view unit, JobMode mode, Done<JobResult> done) = 0;

  virtual void kill(std::string_view unit, KillWho who, int signal, Done<void> done) = 0;
  virtual void reset_failed(std::string_view unit, Done<void> done) = 0;

  // One state per name asked for, in the order asked; what the manager does not know comes as
  // "not-found", "inactive", "dead".
  virtual void list_units_by_names(std::vector<std::string> names,
                                   Done<std::vector<UnitState>> done) = 0;
  // All units in memory, sorted by name.
  virtual void list_units(Done<std::vector<UnitState>> done) = 0;
  // All properties of all interfaces of a unit; a unit without file has LoadState "not-found".
  virtual void get_properties(std::string_view unit, Done<Properties> done) = 0;
  virtual void get_processes(std::string_view unit, Done<std::vector<UnitProcess>> done) = 0;
};

// systemd's words.
std::string_view to_string(JobMode mode);
std::string_view to_string(JobResult result);
std::string_view to_string(KillWho who);
JobResult job_result_from_string(std::string_view word);

}  // namespace flotilla::bus
