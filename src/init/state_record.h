// What the state file holds of one unit: plain bytes of a fixed layout, described in
// docs/state-file.md. Change nothing here without a new kStateFileVersion.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace flotilla::init {

inline constexpr uint32_t kStateFileVersion = 1;

// Microseconds on both clocks; zero where it never happened.
struct StateTimestamp {
  int64_t wall_usec;
  int64_t monotonic_usec;
};

// A process that cannot be mistaken for a later one with the same pid.
struct ProcessIdentity {
  int32_t pid;  // 0: none
  uint32_t reserved;
  uint64_t start_ticks;  // field 22 of /proc/PID/stat; 0: not known
};

// The last run of a command.
struct CommandRecord {
  StateTimestamp start;
  StateTimestamp exit;
  int32_t pid;
  int32_t code;    // CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: has not ended
  int32_t status;  // exit code or signal
  uint32_t reserved;
};

inline constexpr uint8_t kNoCommand = 0xff;

struct UnitRecord {
  std::array<char, 256> name;  // padded with NULs, at least one

  uint8_t active_state;  // ActiveState
  uint8_t sub_state;     // ServiceSubState of services; others: of their kind
  uint8_t result;        // ServiceResult
  uint8_t reload_result;
  uint8_t control_command;  // ServiceCommand the control process is of, or kNoCommand
  uint8_t job_type;
  uint8_t job_state;
  uint8_t job_mode;
  uint16_t main_index;     // which line of ExecStart= the main process is of
  uint16_t control_index;  // which line of that command the control process is of
  uint32_t job_id;         // 0: no job

  uint32_t flags;  // of the manager's choosing
  uint32_t n_restarts;
  std::array<uint8_t, 16> invocation_id;  // all zero: never started

  ProcessIdentity main_process;
  ProcessIdentity control_process;
  CommandRecord main_run;
  CommandRecord control_run;

  StateTimestamp state_change;
  StateTimestamp inactive_exit;
  StateTimestamp active_enter;
  StateTimestamp active_exit;
  StateTimestamp inactive_enter;

  int64_t deadline_usec;           // of the running timeout, CLOCK_MONOTONIC; 0: none
  int64_t watchdog_fed_usec;       // the last WATCHDOG=1, CLOCK_MONOTONIC
  int64_t watchdog_usec;           // WATCHDOG_USEC= in force; 0: what the files say
  int64_t start_limit_begin_usec;  // when the running start limit interval began
  uint32_t start_limit_count;      // starts in it
  int32_t status_errno;
  uint32_t uid;  // of the last started process; UINT32_MAX: none yet
  uint32_t gid;
  std::array<int64_t, 5> recent_starts_usec;  // CLOCK_MONOTONIC, newest first
  int64_t job_deadline_usec;                  // of the job's timeout, CLOCK_MONOTONIC; 0: none
  std::array<uint64_t, 1> reserved;

  std::string_view name_view() const noexcept {
    return {name.data(), strnlen(name.data(), name.size())};
  }
};
static_assert(std::is_trivially_copyable_v<UnitRecord>);
static_assert(sizeof(UnitRecord) == 608, "a new layout needs a new kStateFileVersion");

// What the manager keeps for itself over a restart.
struct ManagerRecord {
  uint32_t next_job_id;
  uint32_t flags;  // of the manager's choosing
  StateTimestamp userspace;
  StateTimestamp finish;
  uint32_t n_installed_jobs;
  uint32_t n_failed_jobs;
  int32_t exit_code;
  int32_t keeper_pid;  // of the keeper in whose life this was written; 0: not known
};
static_assert(std::is_trivially_copyable_v<ManagerRecord>);
static_assert(sizeof(ManagerRecord) == 56, "a new layout needs a new kStateFileVersion");

}  // namespace flotilla::init
