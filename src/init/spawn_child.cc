#include "init/spawn_child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "init/spawn_child_extras.h"
#include "init/spawn_syscall.h"

namespace flotilla::init {
namespace {

// The kernel's struct sigaction, which is not libc's; all zero is "default action".
struct KernelSigaction {
  unsigned long words[4];
};
constexpr long kKernelSigsetSize = 8;

// Decimal digits of `value` and a NUL; `to` has room for 12 characters. Returns how many digits.
long write_decimal(char* to, long value) noexcept {
  char* const begin = to;
  char digits[12];
  int count = 0;
  const bool negative = value < 0;
  unsigned long rest =
      negative ? -static_cast<unsigned long>(value) : static_cast<unsigned long>(value);
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0 && count < 11);
  if (negative) *to++ = '-';
  while (count > 0) *to++ = digits[--count];
  *to = '\0';
  return to - begin;
}

long take_own_descriptors(const SpawnOrder& order) noexcept {
  if (order.unshare_files_from == 0) return 0;
  const long result =
      raw_syscall(SYS_close_range, order.unshare_files_from, ~0U, CLOSE_RANGE_UNSHARE);
  // Kernels and filters without it.
  return result < 0 ? raw_syscall(SYS_unshare, CLONE_FILES) : result;
}

// Before the descriptors are the child's own: the cgroup's may be one that it does not keep.
long join_cgroup(const SpawnOrder& order) noexcept {
  if (order.join_cgroup < 0) return 0;
  const long fd =
      raw_syscall(SYS_openat, order.join_cgroup, raw_address("cgroup.procs"), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const long result = raw_syscall(SYS_write, fd, raw_address("0"), 1);
  raw_syscall(SYS_close, fd);
  return result < 0 ? result : 0;
}

// A handler of the manager must not run here once signals come in. What is ignored stays so.
long clear_handlers(const SpawnOrder& order) noexcept {
  if (!order.clear_handlers) return 0;
  for (int signal = 1; signal < NSIG; ++signal) {
    KernelSigaction action{};
    const long asked =
        raw_syscall(SYS_rt_sigaction, signal, 0, raw_address(&action), kKernelSigsetSize);
    // SIG_DFL is 0 and SIG_IGN is 1.
    if (asked < 0 || action.words[0] <= 1) continue;
    const KernelSigaction default_action{};
    const long result =
        raw_syscall(SYS_rt_sigaction, signal, raw_address(&default_action), 0, kKernelSigsetSize);
    if (result < 0) return result;
  }
  return 0;
}

// Puts the sources at 0, 1, 2, ...: first all that stand where another belongs go up out of the
// way, then each is copied to its place, which also clears its close-on-exec flag.
long place_descriptors(SpawnOrder& order, SpawnStage& stage) noexcept {
  const auto count = static_cast<int>(order.source_count);
  for (int target = 0; target < count; ++target) {
    int& source = order.sources[target];
    if (source >= count || source == target) continue;
    const long moved = raw_syscall(SYS_fcntl, source, F_DUPFD_CLOEXEC, count);
    if (moved < 0) {
      stage = SpawnStage::kFds;
      return moved;
    }
    source = static_cast<int>(moved);
  }
  for (int target = 0; target < count; ++target) {
    const int source = order.sources[target];
    const long result = source == target ? raw_syscall(SYS_fcntl, target, F_SETFD, 0)
                                         : raw_syscall(SYS_dup3, source, target, 0);
    if (result < 0) {
      stage = target == 0   ? SpawnStage::kStdin
              : target == 1 ? SpawnStage::kStdout
              : target == 2 ? SpawnStage::kStderr
                            : SpawnStage::kFds;
      return result;
    }
  }
  return 0;
}

// In a copy of the manager: nothing of the manager's may stay open here meanwhile, neither its lock
// nor the other end of the pipe, which is the last that was placed.
void wait_until_idle(const SpawnOrder& order) noexcept {
  const auto pipe = static_cast<int>(order.source_count) - 1;
  raw_syscall(SYS_close_range, pipe + 1, ~0U, 0);
  struct {
    int fd;
    short events, ready;
  } wanted{pipe, 0, 0};  // the hang-up alone
  struct {
    long seconds, nanoseconds;
  } limit{5, 0};
  // It may be told to end meanwhile.
  const unsigned long none = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw_address(&none), 0, kKernelSigsetSize);
  raw_syscall(SYS_ppoll, raw_address(&wanted), 1, raw_address(&limit), 0, 0);
  raw_syscall(SYS_close, pipe);
}

// Without the right to it, the best there is, as systemd does: what RLIMIT_NICE allows, if that is
// more than what the process has.
long set_nice(int wanted) noexcept {
  const auto set = [](long value) { return raw_syscall(SYS_setpriority, PRIO_PROCESS, 0, value); };
  const long refused = set(wanted);
  if (refused != -EACCES && refused != -EPERM) return refused;
  const long got = raw_syscall(SYS_getpriority, PRIO_PROCESS, 0);
  if (got < 0) return got;
  const long now = 20 - got;
  if (wanted > now) return refused;  // that is everybody's right
  struct {
    unsigned long soft, hard;
  } allowed{};
  const long asked = raw_syscall(SYS_prlimit64, 0, RLIMIT_NICE, 0, raw_address(&allowed));
  if (asked < 0) return asked;
  const long best = allowed.soft <= 1    ? 19
                    : allowed.soft >= 40 ? -20
                                         : 20 - static_cast<long>(allowed.soft);
  return now > best ? set(best) : 0;
}

long adjust_oom_score(int value) noexcept {
  const long fd = raw_syscall(SYS_openat, AT_FDCWD, raw_address("/proc/self/oom_score_adj"),
                              O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  char text[12];
  const long length = write_decimal(text, value);
  const long result = raw_syscall(SYS_write, fd, raw_address(text), length);
  raw_syscall(SYS_close, fd);
  return result < 0 ? result : 0;
}

long set_limits(const ExecSpec& spec) noexcept {
  for (uint32_t i = 0; i < spec.limit_count; ++i) {
    const ResourceLimit& one = spec.limits[i];
    const long result = raw_syscall(SYS_prlimit64, 0, one.resource, raw_address(&one.limit), 0);
    if (result < 0) return result;
  }
  return 0;
}

long set_group(const ExecSpec& spec) noexcept {
  if (spec.set_groups) {
    const long result =
        raw_syscall(SYS_setgroups, static_cast<long>(spec.group_count), raw_address(spec.groups));
    if (result < 0) return result;
  }
  if (spec.gid == ExecSpec::kKeepId) return 0;
  const auto gid = static_cast<long>(spec.gid);
  return raw_syscall(SYS_setresgid, gid, gid, gid);
}

long set_user(const ExecSpec& spec) noexcept {
  if (spec.uid == ExecSpec::kKeepId) return 0;
  const auto uid = static_cast<long>(spec.uid);
  return raw_syscall(SYS_setresuid, uid, uid, uid);
}

long change_root(const ExecSpec& spec) noexcept {
  if (spec.root == nullptr) return 0;
  const long result = raw_syscall(SYS_chroot, raw_address(spec.root));
  return result < 0 ? result : raw_syscall(SYS_chdir, raw_address("/"));
}

long change_directory(const ExecSpec& spec) noexcept {
  if (spec.working_directory == nullptr) return 0;
  const long result = raw_syscall(SYS_chdir, raw_address(spec.working_directory));
  if (result >= 0 || !spec.working_directory_missing_ok) return result;
  return raw_syscall(SYS_chdir, raw_address("/"));
}

long reset_signals(const ExecSpec& spec) noexcept {
  if (!spec.ignore_sigpipe) {
    const KernelSigaction default_action{};
    const long result =
        raw_syscall(SYS_rt_sigaction, SIGPIPE, raw_address(&default_action), 0, kKernelSigsetSize);
    if (result < 0) return result;
  }
  const unsigned long none = 0;
  return raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw_address(&none), 0, kKernelSigsetSize);
}

// A program that is there, but not the interpreter it names, is no missing program.
bool is_program_optional(const ExecSpec& spec) noexcept {
  return spec.program_missing_ok &&
         raw_syscall(SYS_faccessat, AT_FDCWD, raw_address(spec.path), F_OK) == -ENOENT;
}

// From the groups to what the process may never gain again; returns as prepare() does.
long change_privileges(const ExecSpec& spec, SpawnStage& stage) noexcept {
  const SpawnExtras* const extras = spec.extras;
  long result = 0;
  const auto failed = [&](SpawnStage at, long value) {
    stage = at;
    result = value;
    return value < 0;
  };
  if (failed(SpawnStage::kGroup, set_group(spec))) return result;
  if (extras != nullptr) {
    if (failed(SpawnStage::kCapabilities, limit_capabilities(*extras))) return result;
    if (failed(SpawnStage::kUser, keep_capabilities(*extras, spec.uid))) return result;
  }
  if (failed(SpawnStage::kUser, set_user(spec))) return result;
  if (extras != nullptr && failed(SpawnStage::kCapabilities, raise_ambient_again(*extras))) {
    return result;
  }
  // As the user: on a network file system root may be nobody.
  if (failed(SpawnStage::kChdir, change_directory(spec))) return result;
  if (extras != nullptr && failed(SpawnStage::kSecureBits, set_secure_bits(*extras))) return result;
  if (spec.no_new_privileges &&
      failed(SpawnStage::kNoNewPrivileges, raw_syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1))) {
    return result;
  }
  return 0;
}

// Everything up to the exec; returns 0, or -errno and the stage it belongs to.
long prepare(SpawnOrder& order, SpawnStage& stage) noexcept {
  const ExecSpec& spec = *order.spec;
  long result = 0;
  const auto failed = [&](SpawnStage at, long value) {
    stage = at;
    result = value;
    return value < 0;
  };
  if (failed(SpawnStage::kCgroup, join_cgroup(order))) return result;
  if (spec.fail_stage != SpawnStage::kNone) {
    stage = spec.fail_stage;
    return -static_cast<long>(spec.fail_error);
  }
  if (failed(SpawnStage::kFds, take_own_descriptors(order))) return result;
  if (failed(SpawnStage::kSession, raw_syscall(SYS_setsid))) return result;
  if (result = place_descriptors(order, stage); result < 0) return result;
  if (spec.idle_pipe_fd >= 0) {
    if (failed(SpawnStage::kSignalMask, clear_handlers(order))) return result;
    wait_until_idle(order);
  }
  const SpawnExtras* const extras = spec.extras;
  if (extras != nullptr && extras->work != nullptr &&
      failed(extras->work_stage, -extras->work(extras->work_context))) {
    return result;
  }
  if (extras != nullptr && failed(SpawnStage::kStdin, take_terminal(*extras))) return result;
  // Without the right to it, as in a container, it is left as it is: systemd does the same.
  const long oom =
      spec.oom_score_adjust == ExecSpec::kKeep ? 0 : adjust_oom_score(spec.oom_score_adjust);
  if (oom != -EACCES && oom != -EPERM && failed(SpawnStage::kOomAdjust, oom)) {
    return result;
  }
  if (extras != nullptr && failed(SpawnStage::kCoredumpFilter, set_coredump_filter(*extras))) {
    return result;
  }
  if (spec.nice != ExecSpec::kKeep && failed(SpawnStage::kNice, set_nice(spec.nice))) return result;
  if (extras != nullptr) {
    ChildFailure failure;
    if (failed(failure.stage, set_scheduling(*extras, failure))) {
      stage = failure.stage;
      return result;
    }
  }
  if (spec.umask != ExecSpec::kKeep) raw_syscall(SYS_umask, spec.umask);
  if (spec.keyring != nullptr && failed(SpawnStage::kKeyring, join_keyring(*spec.keyring))) {
    return result;
  }
  if (failed(SpawnStage::kLimits, set_limits(spec))) return result;
  if (failed(SpawnStage::kChroot, change_root(spec))) return result;
  if (result = change_privileges(spec, stage); result < 0) return result;
  for (char* const text : spec.pid_texts) {
    if (text != nullptr) write_decimal(text, raw_syscall(SYS_getpid));
  }
  if (failed(SpawnStage::kSignalMask, clear_handlers(order))) return result;
  if (failed(SpawnStage::kSignalMask, reset_signals(spec))) return result;
  return 0;
}

}  // namespace

int run_spawn_child(void* context) noexcept {
  SpawnOrder& order = *static_cast<SpawnOrder*>(context);
  SpawnStage stage = SpawnStage::kNone;
  long result = prepare(order, stage);
  if (result >= 0) {
    const ExecSpec& spec = *order.spec;
    if (spec.path == nullptr) return 0;
    stage = SpawnStage::kExec;
    result = raw_syscall(SYS_execve, raw_address(spec.path), raw_address(spec.argv),
                         raw_address(spec.environment));
  }
  order.error = static_cast<int>(-result);
  if (stage == SpawnStage::kExec && result == -ENOENT && is_program_optional(*order.spec)) return 0;
  order.stage = stage;
  return static_cast<int>(exit_code_of(stage));
}

}  // namespace flotilla::init
