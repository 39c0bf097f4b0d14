// Unit: one loaded unit of the running manager: what its files say, what state it is in, and what
// its processes did. Owned by Manager; loop thread only. Everybody else gets `const Unit&` for the
// length of a call and keeps names, never pointers, across a turn of the loop.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "init/start_limit.h"
#include "init/unit_links.h"
#include "init/unit_settings.h"
#include "init/unit_state.h"
#include "init/unit_times.h"

namespace flotilla::init {

// The last run of one command line, as the Exec* properties of the bus show it.
struct CommandRun {
  Timestamps start, exit;
  pid_t pid = 0;
  int16_t code = 0;    // CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: has not ended
  int16_t status = 0;  // exit code or signal
};

// What somebody outside found out that the unit needs; ends with the run or with a reload.
enum class UnitMarker : uint8_t { kNeedsReload = 1, kNeedsRestart = 2 };

struct ServiceRuntime;  // what only services have; defined in manager_service.h

class Unit {
 public:
  explicit Unit(UnitSettings unit_settings);
  ~Unit();
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;

  // --- What the files say ---
  UnitSettings settings;
  const std::string& id;  // settings.name as text, for lookups and messages
  uint32_t graph_id = 0;
  bool transient = false;
  // Targets, slices and every other kind that has but two states.
  bool simple_active = false;
  bool is_frozen = false;
  uint8_t markers = 0;  // UnitMarker, set from outside
  LinkSet links = 0;    // what a log is told of this run

  std::string_view description() const;  // Description=, or the id
  std::string_view load_state() const;   // "loaded", "not-found", "bad-setting", ...

  // --- State, in the words of systemctl ---
  ActiveState active() const;
  std::string_view active_state() const;   // "active", "inactive", "failed", ...
  std::string_view sub_state() const;      // "running", "dead", "auto-restart", ...
  std::string_view result() const;         // services: "success", "exit-code", ...
  std::string_view reload_result() const;  // of the last reload, in the same words
  std::string_view clean_result() const;   // of the last `systemctl clean`
  // What there is to be cleaned: "runtime", "state", ...
  std::vector<std::string> can_clean() const;
  bool is_active_or_activating() const;
  bool is_inactive_or_failed() const;

  UnitTimes times;
  // It was active when it was first looked at.
  void note_active_since(const Timestamps& time);
  // Of the last evaluation of conditions and assertions.
  bool condition_result = false, assert_result = false;
  bool tracked_by_cgroup = false;
  bool has_cgroup = false;

  // 128 random bits per start, as 32 hex digits; empty before the first start.
  std::string invocation_id() const;
  std::array<uint8_t, 16> invocation{};

  // Of the manager: its slot in the state file, once it has one.
  static constexpr uint32_t kNoStateSlot = UINT32_MAX;
  uint32_t state_slot = kNoStateSlot;
  bool has_state_slot() const noexcept { return state_slot != kNoStateSlot; }
  uint32_t refs = 0;                          // of clients that want it to stay loaded
  uint32_t job = 0;                           // id of the pending or running job, 0: none
  std::string cgroup_path() const;            // "/system.slice/a.service"; empty: there is none now
  std::string_view process_tracking() const;  // "cgroup" or "best-effort"; of the whole manager

  // --- Services; zero and empty elsewhere ---
  bool is_service() const { return service != nullptr; }
  pid_t main_pid() const;
  pid_t control_pid() const;
  const CommandRun& main_run() const;  // ExecMain* properties
  // The last run of the index-th line of ExecStart=, ExecStartPre=, ...; empty where it never ran.
  CommandRun command_run(ServiceCommand which, size_t index) const;
  bool has_run(ServiceCommand which) const;  // of mounts: in this unit's life
  uint32_t n_restarts() const;
  const std::string& status_text() const;  // STATUS=
  int status_errno() const;                // ERRNO=
  uint32_t n_fd_store() const;             // descriptors in its store
  Timestamps watchdog_time() const;        // of the last WATCHDOG=1
  Micros watchdog() const;                 // in force: WatchdogSec= or WATCHDOG_USEC=
  uid_t uid() const;                       // of the last started process; UINT32_MAX: none yet
  gid_t gid() const;

  std::unique_ptr<ServiceRuntime> service;

  StartLimit start_limit;  // its starts of late
};

}  // namespace flotilla::init
