#include "init/linux_spawner.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "init/spawn_child.h"
#include "init/spawn_syscall.h"

namespace flotilla::init {
namespace {

constexpr size_t kGuardSize = size_t{64} * 1024;  // a multiple of every page size
constexpr size_t kStackSize = size_t{64} * 1024;

// Keeps this process's own filter over the life of the object.
class CoredumpFilter {
 public:
  explicit CoredumpFilter(bool is_needed) noexcept {
    if (!is_needed) return;
    file_.reset(open("/proc/self/coredump_filter", O_RDWR | O_CLOEXEC));
    if (file_) size_ = pread(file_.get(), text_ + 2, sizeof text_ - 2, 0);
  }
  ~CoredumpFilter() {
    if (size_ <= 0) return;
    [[maybe_unused]] const ssize_t written =
        pwrite(file_.get(), text_, static_cast<size_t>(size_) + 2, 0);
  }
  CoredumpFilter(const CoredumpFilter&) = delete;
  CoredumpFilter& operator=(const CoredumpFilter&) = delete;

 private:
  base::Fd file_;
  char text_[32] = {'0', 'x'};  // read without, written with
  ssize_t size_ = 0;
};

// All but those that a process gets for its own faults: blocking these would only hide the report
// of a sanitizer.
sigset_t asynchronous_signals() {
  sigset_t set;
  sigfillset(&set);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    sigdelset(&set, signal);
  }
  return set;
}

}  // namespace

base::Result<std::unique_ptr<LinuxSpawner>> LinuxSpawner::create(CloneCall call) {
  base::Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  base::Fd null_input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null || !null_input) return base::system_error(errno, "open /dev/null");
  std::unique_ptr<LinuxSpawner> spawner(
      new LinuxSpawner(std::move(null), std::move(null_input), call));
  spawner->slots_end_ = std::max(spawner->null_.get(), spawner->null_input_.get()) + 1;
  for (OnItsWay& way : spawner->ways_) {
    void* const memory = mmap(nullptr, kGuardSize + kStackSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return base::system_error(errno, "make a stack for new processes");
    way.stack = static_cast<std::byte*>(memory);
    if (mprotect(memory, kGuardSize, PROT_NONE) != 0) {
      return base::system_error(errno, "guard the stack for new processes");
    }
    for (base::Fd& slot : way.slots) {
      slot.reset(fcntl(spawner->null_.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
      if (!slot) {
        return base::system_error(errno, "make room for the descriptors of new processes");
      }
      spawner->slots_end_ = std::max(spawner->slots_end_, slot.get() + 1);
    }
  }
  const sigset_t blocked = asynchronous_signals();
  if (sigprocmask(SIG_BLOCK, &blocked, nullptr) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
    return base::system_error(errno, "block signals");
  }
  return spawner;
}

LinuxSpawner::OnItsWay::OnItsWay() : order(std::make_unique<SpawnOrder>()) {}
LinuxSpawner::OnItsWay::~OnItsWay() {
  if (stack != nullptr) munmap(stack, kGuardSize + kStackSize);
}

LinuxSpawner::~LinuxSpawner() { await_all(); }

LinuxSpawner::CloneCall LinuxSpawner::probe() noexcept {
  // Arguments of no size are refused by the kernel itself, with EINVAL; anything else is said by
  // who stands before it.
  const bool is_there = syscall(SYS_clone3, nullptr, 0) < 0 && errno == EINVAL;
  return is_there ? CloneCall::kClone3 : CloneCall::kClone;
}

long LinuxSpawner::start_child(const ExecSpec& spec, SpawnOrder& order, OnItsWay& way,
                               Follow follow, int* pidfd) noexcept {
  clone_args args{};
  args.flags = CLONE_CLEAR_SIGHAND;
  // What waits must not hold us up: it gets a memory of its own, and how it went its exit tells.
  if (spec.idle_pipe_fd < 0) args.flags |= CLONE_VM | CLONE_VFORK;
  if (follow == Follow::kNot) {
    args.flags ^= CLONE_VFORK | CLONE_CHILD_CLEARTID;
    args.child_tid = reinterpret_cast<uintptr_t>(&way.is_here);
  }
  if (order.unshare_files_from != 0) args.flags |= CLONE_FILES;
  if (spec.want_pidfd) {
    args.flags |= CLONE_PIDFD;
    args.pidfd = reinterpret_cast<uintptr_t>(pidfd);
  }
  if (spec.pid_location != nullptr) {
    args.flags |= CLONE_PARENT_SETTID;
    args.parent_tid = reinterpret_cast<uintptr_t>(spec.pid_location);
  }
  if (spec.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(spec.cgroup_fd);
  }
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<uintptr_t>(way.stack + kGuardSize);
  args.stack_size = kStackSize;
  return flotilla_clone3(&args, sizeof args, &run_spawn_child, &order);
}

long LinuxSpawner::start_child_by_clone(const ExecSpec& spec, SpawnOrder& order, OnItsWay& way,
                                        int* pidfd) noexcept {
  unsigned long flags = SIGCHLD;
  if (spec.idle_pipe_fd < 0) flags |= CLONE_VM | CLONE_VFORK;
  if (order.unshare_files_from != 0) flags |= CLONE_FILES;
  if (spec.pid_location != nullptr) flags |= CLONE_PARENT_SETTID;
  order.join_cgroup = spec.cgroup_fd;
  order.clear_handlers = true;
  const long pid = flotilla_clone(flags, way.stack + kGuardSize + kStackSize, spec.pid_location,
                                  &run_spawn_child, &order);
  // One place in memory cannot take both the pid and the descriptor; the pid is ours until we reap.
  if (pid > 0 && spec.want_pidfd) *pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return pid;
}

long LinuxSpawner::start_copy(const ExecSpec& spec, SpawnOrder& order) noexcept {
  order.join_cgroup = spec.cgroup_fd;
  order.clear_handlers = true;
  const unsigned long flags = SIGCHLD | (spec.pid_location != nullptr ? CLONE_PARENT_SETTID : 0UL);
  const long pid =
      raw_syscall(SYS_clone, static_cast<long>(flags), 0, raw_address(spec.pid_location), 0, 0);
  if (pid == 0) _exit(run_spawn_child(&order));
  return pid;
}

SpawnResult LinuxSpawner::spawn(const ExecSpec& spec) noexcept {
  return start(spec, Follow::kToProgram);
}

SpawnResult LinuxSpawner::begin(const ExecSpec& spec) noexcept { return start(spec, Follow::kNot); }

std::optional<SpawnResult> LinuxSpawner::settle() noexcept {
  for (size_t i = 0; i < ways_.size(); ++i) {
    OnItsWay& way = ways_[(next_ + i) % ways_.size()];
    if (way.is_told) continue;
    await(way);
    way.is_told = true;
    SpawnResult result;
    result.pid = way.pid;
    result.stage = way.order->stage;
    result.error = way.order->error;
    return result;
  }
  return std::nullopt;
}

// The kernel zeroes the word at exec and at exit, after all that the process wrote.
void LinuxSpawner::await(OnItsWay& way) noexcept {
  for (;;) {
    const int32_t is_here = __atomic_load_n(&way.is_here, __ATOMIC_ACQUIRE);
    if (is_here == 0) break;
    raw_syscall(SYS_futex, raw_address(&way.is_here), FUTEX_WAIT, is_here);
  }
  clear_slots(way);
}

void LinuxSpawner::await_all() noexcept {
  for (OnItsWay& way : ways_) await(way);
}

// A pipe must not stay open here for longer than its owner wants.
void LinuxSpawner::clear_slots(OnItsWay& way) noexcept {
  if (!std::exchange(way.slots_are_used, false)) return;
  for (const base::Fd& slot : way.slots) dup3(null_.get(), slot.get(), O_CLOEXEC);
}

SpawnResult LinuxSpawner::start(const ExecSpec& spec, Follow follow) noexcept {
  SpawnResult result;
  result.stage = SpawnStage::kClone;
  if (spec.passed_fd_count > kMaxPassedFds) {
    result.error = E2BIG;
    return result;
  }
  // With nothing to pass on, the child needs a few low descriptors alone.
  const bool waits = spec.idle_pipe_fd >= 0;
  const bool works = spec.extras != nullptr && spec.extras->work != nullptr;
  // The filter belongs to the memory, which is still ours while the child changes it.
  const bool sets_filter = !works && spec.extras != nullptr && spec.extras->sets_coredump_filter;
  bool is_low = spec.passed_fd_count == 0 && !waits && !works;
  // The kernel gives an oom_score_adj to all that share a memory, but for a vfork.
  const bool sets_oom_score = spec.oom_score_adjust != ExecSpec::kKeep;
  if (!is_low || sets_filter || sets_oom_score || spec.want_pidfd || call_ != CloneCall::kClone3) {
    follow = Follow::kToProgram;
  }
  const bool goes_on = follow == Follow::kNot;
  OnItsWay& way = ways_[next_];
  goes_on ? await(way) : await_all();
  int many_sources[3 + kMaxPassedFds + 1];
  SpawnOrder order_here;
  SpawnOrder& order = goes_on ? *way.order : order_here;
  int* const sources = goes_on ? way.sources.data() : many_sources;
  order = SpawnOrder();
  order.spec = &spec;
  order.sources = sources;
  order.source_count = 3 + spec.passed_fd_count;
  const int streams[kStreams] = {spec.stdin_fd, spec.stdout_fd, spec.stderr_fd};
  for (size_t i = 0; i < kStreams; ++i) {
    const base::Fd& nothing = i == STDIN_FILENO ? null_input_ : null_;
    sources[i] = streams[i] >= 0 ? streams[i] : nothing.get();
    if (!is_low || sources[i] < slots_end_) continue;
    // A bad one the child finds out about, and exits as it must.
    is_low = dup3(sources[i], way.slots[i].get(), O_CLOEXEC) >= 0;
    way.slots_are_used = true;
  }
  for (size_t i = 0; i < kStreams && is_low; ++i) {
    if (sources[i] >= slots_end_) sources[i] = way.slots[i].get();
  }
  for (uint32_t i = 0; i < spec.passed_fd_count; ++i) sources[3 + i] = spec.passed_fds[i];
  if (waits) sources[order.source_count++] = spec.idle_pipe_fd;

  if (is_low) order.unshare_files_from = slots_end_;
  CoredumpFilter filter(sets_filter);
  int pidfd = -1;
  way.is_here = goes_on ? 1 : 0;
  // On a copy of this very stack, which has room for any work.
  const long pid = works                         ? start_copy(spec, order)
                   : call_ == CloneCall::kClone3 ? start_child(spec, order, way, follow, &pidfd)
                                                 : start_child_by_clone(spec, order, way, &pidfd);
  if (pid < 0) {
    way.is_here = 0;
    clear_slots(way);
    result.error = static_cast<int>(-pid);
    return result;
  }
  result.pid = static_cast<pid_t>(pid);
  if (goes_on) {
    way.pid = result.pid;
    way.is_told = false;
    next_ = (next_ + 1) % ways_.size();
    result.stage = SpawnStage::kNone;
    result.is_on_its_way = true;
    return result;
  }
  clear_slots(way);
  result.pidfd.reset(pidfd);
  result.stage = order.stage;
  result.error = order.error;
  return result;
}

}  // namespace flotilla::init
