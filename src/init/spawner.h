// The process spawner seam. A spawn gets everything prepared: no look-up, no allocation and no
// string is made on the way. LinuxSpawner (linux_spawner.h) starts processes, FakeSpawner
// (fake_spawner.h) records what it was asked for.
//
// Loop thread only; never throws.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "init/exit_code.h"
#include "init/spawn_extras.h"

namespace flotilla::init {

struct ResourceLimit {
  int resource;  // RLIMIT_*
  rlimit limit;
};

// What to run and how. Plain pointers into memory of the caller, which must last until spawn()
// returns. Only what is set is applied: each property left at its default costs no system call.
struct ExecSpec {
  const char* path = nullptr;         // absolute, as the new process sees it (see SpawnExtras)
  const char* const* argv = nullptr;  // NULL at the end
  const char* const* environment = nullptr;  // NULL at the end, "NAME=VALUE"

  // Descriptors of this process that become 0, 1 and 2. -1: /dev/null is opened instead.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;

  // Descriptors that become 3, 4, ... (sockets of socket units, the fd store). All else closes on
  // exec, since every descriptor of the manager is O_CLOEXEC.
  const int* passed_fds = nullptr;
  uint32_t passed_fd_count = 0;
  // Where the child writes its own pid in decimal with a NUL behind it: the value parts of
  // "LISTEN_PID=", "WATCHDOG_PID=" and "SYSTEMD_EXEC_PID=" in buffers that `environment` points to,
  // each with room for 12 characters. NULL: none.
  static constexpr size_t kMaxPidTexts = 3;
  char* pid_texts[kMaxPidTexts] = {};

  // Where there is no such program the process ends with 0: the result says that it runs, with
  // ENOENT as its error.
  bool program_missing_ok = false;

  const char* root = nullptr;               // chroot to it
  const char* working_directory = nullptr;  // NULL: where the manager is, which is "/"
  bool working_directory_missing_ok = false;

  static constexpr uint32_t kKeepId = UINT32_MAX;
  uint32_t uid = kKeepId;
  uint32_t gid = kKeepId;
  bool set_groups = false;  // also with no groups at all
  const gid_t* groups = nullptr;
  uint32_t group_count = 0;

  const ResourceLimit* limits = nullptr;
  uint32_t limit_count = 0;
  static constexpr int kKeep = INT32_MIN;
  int umask = kKeep;
  int nice = kKeep;
  int oom_score_adjust = kKeep;
  bool no_new_privileges = false;
  bool ignore_sigpipe = true;  // as in the manager itself

  const SpawnKeyring* keyring = nullptr;  // NULL: the manager's
  const SpawnExtras* extras = nullptr;    // NULL: nothing of it

  // A step that went wrong before there was a process: it does nothing else and ends as if it had
  // failed there itself, so that it leaves the same traces.
  SpawnStage fail_stage = SpawnStage::kNone;
  int fail_error = 0;

  // A pipe whose end the process waits for before it does anything, at most five seconds: of
  // Type=idle. It costs a copy of this process's memory. -1: none.
  int idle_pipe_fd = -1;

  int cgroup_fd = -1;       // directory of a v2 cgroup the process is born in
  bool want_pidfd = false;  // our own children need none: their pids stay until they are reaped

  // Filled by the kernel with the new pid before the child runs and before spawn() goes on: a place
  // in the shared state file, so that a manager killed in the middle of a spawn leaves no unknown
  // child. NULL: none.
  int32_t* pid_location = nullptr;
};

struct SpawnResult {
  pid_t pid = -1;  // -1: no process was made (stage is kClone)
  base::Fd pidfd;  // if wanted
  // kNone: the program runs. After kClone: the process `pid` exists, has failed at this step, and
  // exits with exit_code_of(stage); its exit arrives like any other.
  SpawnStage stage = SpawnStage::kNone;
  int error = 0;  // errno of that step
  // Of begin() alone: it is on its way to its program, and settle() will tell how that went.
  bool is_on_its_way = false;

  bool is_running() const noexcept { return stage == SpawnStage::kNone; }
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // Starts a process as the leader of a new session, with no signal blocked and all (but SIGPIPE)
  // at their defaults; returns once it has exec'ed or failed.
  virtual SpawnResult spawn(const ExecSpec& spec) noexcept = 0;

  // The same, but may come back as soon as the process is there, so that the next one is prepared
  // while this one comes to its program. So many are on their way at most: a further begin() waits
  // for the first of them, spawn() for all. Requires: the spec and all it points to stay as they
  // are until settle().
  static constexpr size_t kMostOnTheirWay = 2;
  virtual SpawnResult begin(const ExecSpec& spec) noexcept { return spawn(spec); }
  // Waits for the process that was begun first, of those not told of, to come to its program or to
  // fail, and tells which, once. What is not asked for before as many others begin is never told.
  virtual std::optional<SpawnResult> settle() noexcept { return std::nullopt; }
};

}  // namespace flotilla::init
