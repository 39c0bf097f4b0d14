#include "init/keeper.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "init/idle_memory.h"
#include "init/keeper_exits.h"
#include "init/keeper_held.h"
#include "init/keeper_line.h"
#include "init/keeper_program.h"
#include "init/keeper_protocol.h"

namespace flotilla::init {
namespace {

constexpr uint32_t kMostDeaths = 16;
constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
constexpr int kRetryMs = 1000;  // after the kernel refused a fork
constexpr int kCrowdedMs = 10;  // after it refused descriptors in flight
constexpr int kRestMs = 300;    // of quiet, after which it gives back what it does not need to wait

// All that the keeper has. Static, and zero at the start, so that only what is used becomes real.
struct Keeper {
  const KeeperOptions* options;
  bool is_first_process;
  bool gave_up;
  bool previous_crashed;
  pid_t manager;  // 0: none
  int link;       // -1: none
  int signals;
  uint32_t starts;
  int64_t deaths[kMostDeaths];  // times, the newest at (death_count - 1) % kMostDeaths
  uint32_t death_count;
  uint64_t waiting_signals;  // bit n: signal n is to be forwarded to the next manager

  // What the manager asked for.
  bool wants_shutdown;
  bool wants_reexec;
  int exit_code;
  MachineEnd end;

  // What the manager has been sent so far.
  bool hello_sent;
  bool blocked;  // the socket is full
  bool crowded;
  size_t held_cursor;
  uint32_t held_left;
  uint64_t inherited_exits_end;
  uint64_t exit_cursor;

  rlimit descriptors;  // as it was when the keeper began
  KeeperProgram program;
  char message[kMaxKeeperMessage];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 253)];
  HeldFds held;
  ExitQueue exits;
};
constinit Keeper keeper{};

int64_t now_usec() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

void say_failed(const char* what, int error) noexcept {
  KeeperLine line;
  line.add("unable to ").add(what).add(": errno ").add(error);
  line.say(keeper.is_first_process);
}

void say_death(const siginfo_t& info) noexcept {
  KeeperLine line;
  line.add("the manager (").add(info.si_pid);
  line.add(info.si_code == CLD_EXITED ? ") exited with code " : ") was killed by signal ");
  line.add(info.si_status);
  line.add(keeper.gave_up ? "; that was too often, it is not started again"
                          : "; it is started again");
  line.say(keeper.is_first_process);
}

// --- To the manager ---

bool send_packet(const void* bytes, size_t size, const int* fds, size_t fd_count) noexcept {
  iovec part{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd_count != 0) {
    message.msg_control = keeper.control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    std::memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
  }
  for (;;) {
    if (sendmsg(keeper.link, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno == EINTR) continue;
    if (errno == ETOOMANYREFS) {
      keeper.crowded = true;
    } else if (errno == EAGAIN) {
      keeper.blocked = true;
    } else {
      // The manager is dead or has closed its end: SIGCHLD tells which.
      close(keeper.link);
      keeper.link = -1;
    }
    return false;
  }
}

bool send_hello() noexcept {
  KeeperHello hello{};
  hello.head = {KeeperMessageKind::kHello, kKeeperProtocolVersion};
  hello.start_number = keeper.starts - 1;
  hello.previous_crashed = keeper.previous_crashed ? 1 : 0;
  hello.fd_count = keeper.held.count();
  hello.exit_count = static_cast<uint32_t>(keeper.exits.end() - keeper.exits.begin());
  if (!send_packet(&hello, sizeof hello, nullptr, 0)) return false;
  keeper.hello_sent = true;
  keeper.held_cursor = 0;
  keeper.held_left = hello.fd_count;
  keeper.exit_cursor = keeper.exits.begin();
  keeper.inherited_exits_end = keeper.exits.end();
  return true;
}

bool send_held() noexcept {
  int fds[kMaxFdsPerMessage];
  size_t cursor = keeper.held_cursor;
  size_t names_size = 0;
  const size_t count =
      keeper.held.copy(cursor, fds, kMaxFdsPerMessage, keeper.message + sizeof(KeeperMessage),
                       sizeof keeper.message - sizeof(KeeperMessage), names_size);
  const KeeperMessage head{KeeperMessageKind::kFds, static_cast<uint32_t>(count)};
  std::memcpy(keeper.message, &head, sizeof head);
  if (!send_packet(keeper.message, sizeof head + names_size, fds, count)) return false;
  keeper.held_cursor = cursor;
  keeper.held_left -= static_cast<uint32_t>(count);
  return true;
}

bool send_exits() noexcept {
  // Those it inherits come in packets of their own.
  const uint64_t end = keeper.exit_cursor < keeper.inherited_exits_end ? keeper.inherited_exits_end
                                                                       : keeper.exits.end();
  KeeperMessage head{KeeperMessageKind::kExits, 0};
  char* to = keeper.message + sizeof head;
  uint64_t at = keeper.exit_cursor;
  for (; at < end && head.count < kMaxExitsPerMessage; ++at, ++head.count) {
    std::memcpy(to, &keeper.exits.at(at), sizeof(KeeperExitEntry));
    to += sizeof(KeeperExitEntry);
  }
  std::memcpy(keeper.message, &head, sizeof head);
  if (!send_packet(keeper.message, static_cast<size_t>(to - keeper.message), nullptr, 0)) {
    return false;
  }
  keeper.exit_cursor = at;
  return true;
}

// Sends what there is to send and the socket takes.
void update_manager() noexcept {
  keeper.blocked = keeper.crowded = false;
  while (keeper.link >= 0) {
    if (!keeper.hello_sent) {
      if (!send_hello()) return;
    } else if (keeper.held_left != 0) {
      if (!send_held()) return;
    } else if (keeper.exit_cursor < keeper.exits.end()) {
      if (!send_exits()) return;
    } else {
      return;
    }
  }
}

// --- From the manager ---

void take_stored(const char* names, size_t names_size, uint32_t count, const int* fds,
                 size_t fd_count) noexcept {
  size_t used = 0;
  for (size_t i = 0; i < fd_count; ++i) {
    const char* const name = names + used;
    const size_t size = strnlen(name, names_size - used);
    const bool named = i < count && used + size < names_size;
    if (named) used += size + 1;
    if (!named || !keeper.held.add(name, size, fds[i])) {
      say_failed("keep a descriptor", ENOSPC);
      close(fds[i]);
    }
  }
  if (fd_count < count) say_failed("receive all descriptors", EMFILE);
}

void on_message(const char* bytes, size_t size, const int* fds, size_t fd_count) noexcept {
  KeeperMessage head{};
  if (size >= sizeof head) std::memcpy(&head, bytes, sizeof head);
  const char* const rest = bytes + sizeof head;
  KeeperRequest request{};
  if (size >= sizeof request) std::memcpy(&request, bytes, sizeof request);
  switch (head.kind) {
    case KeeperMessageKind::kStore:
      take_stored(rest, size - sizeof head, head.count, fds, fd_count);
      return;
    case KeeperMessageKind::kRemove:
      keeper.held.remove(rest, strnlen(rest, size - sizeof head));
      break;
    case KeeperMessageKind::kRemoveAll:
      keeper.held.remove_all();
      break;
    case KeeperMessageKind::kAcknowledge:
      keeper.exits.acknowledge(request.value);
      break;
    case KeeperMessageKind::kShutdown:
      keeper.wants_shutdown = true;
      keeper.exit_code = static_cast<int>(request.value & 0xff);
      keeper.end = static_cast<MachineEnd>(request.value >> 8 & 0xff);
      break;
    case KeeperMessageKind::kReexec:
      keeper.wants_reexec = true;
      break;
    default:
      break;  // of a later version
  }
  for (size_t i = 0; i < fd_count; ++i) close(fds[i]);
}

// Reads all that the manager has sent; false at the end of the link.
bool receive_messages() noexcept {
  for (;;) {
    iovec part{keeper.message, sizeof keeper.message};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = keeper.control;
    message.msg_controllen = sizeof keeper.control;
    const ssize_t size = recvmsg(keeper.link, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // A manager that ended with messages of ours unread leaves one ECONNRESET in front of its last
    // words.
    if (size < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    int fds[253];
    size_t fd_count = 0;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      std::memcpy(fds, CMSG_DATA(header), fd_count * sizeof(int));
    }
    on_message(keeper.message, static_cast<size_t>(size), fds, fd_count);
  }
}

void close_link() noexcept {
  if (keeper.link >= 0) close(keeper.link);
  keeper.link = -1;
  keeper.hello_sent = keeper.blocked = keeper.crowded = false;
}

// --- Its life ---

void forward(int signal) noexcept {
  if (keeper.manager > 0) {
    kill(keeper.manager, signal);
  } else {
    keeper.waiting_signals |= uint64_t{1} << signal;
  }
}

// In the child of a fork: becomes the manager.
void become_manager() noexcept {
  // Orphans of services come to the manager as long as it lives, and to the keeper when it dies.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  setrlimit(RLIMIT_NOFILE, &keeper.descriptors);
  close_link();
  close(keeper.signals);
  keeper.held.remove_all();
}

// Returns the manager's pid, or -1.
pid_t execute_manager(int link) noexcept {
  const KeeperOptions& options = *keeper.options;
  if (keeper.wants_reexec) {
    const pid_t pid = keeper.program.start_renewed(options.argv, link, keeper.descriptors);
    if (pid > 0) return pid;
    say_failed("execute the program on disk; the one of before goes on", -pid);
  }
  if (options.manager == nullptr) return -1;
  const pid_t pid = keeper.program.start(options.argv, link, keeper.descriptors);
  if (pid > 0) return pid;
  say_failed("execute the manager's program", -pid);
  if (keeper.starts == 0) {
    keeper.wants_shutdown = true;
    keeper.exit_code = 1;
  }
  return -1;
}

// Returns the link in the manager, -1 in the keeper.
int start_manager() noexcept {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    say_failed("make a link to the manager", errno);
    return -1;
  }
  pid_t pid = keeper.options->argv != nullptr ? execute_manager(ends[1]) : -1;
  if (pid < 0 && keeper.options->manager == nullptr) {
    pid = fork();
    if (pid == 0) {
      close(ends[0]);
      become_manager();
      return ends[1];
    }
    if (pid < 0) say_failed("fork", errno);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return -1;
  }
  keeper.manager = pid;
  keeper.link = ends[0];
  keeper.wants_reexec = false;
  ++keeper.starts;
  for (int signal = 1; signal < 64; ++signal) {
    if ((keeper.waiting_signals >> signal & 1) != 0) kill(pid, signal);
  }
  keeper.waiting_signals = 0;
  update_manager();
  return -1;
}

void on_manager_end(const siginfo_t& info) noexcept {
  // What it said last, and the queue to the next: nothing of this may be lost.
  if (keeper.link >= 0) receive_messages();
  close_link();
  keeper.manager = 0;
  keeper.previous_crashed = !keeper.wants_reexec && !keeper.wants_shutdown;
  if (!keeper.previous_crashed) return;
  uint32_t most = keeper.options->max_deaths;
  if (most == 0 || most > kMostDeaths) most = kMostDeaths;
  const int64_t now = now_usec();
  keeper.deaths[keeper.death_count++ % kMostDeaths] = now;
  if (keeper.death_count >= most) {
    const int64_t first = keeper.deaths[(keeper.death_count - most) % kMostDeaths];
    keeper.gave_up = now - first <= keeper.options->window_usec;
  }
  say_death(info);
}

// Queues the exits of all that fell to us, as long as there is room, and notices the manager's own.
void reap() noexcept {
  if (keeper.manager > 0) {
    siginfo_t info{};
    if (waitid(P_PID, static_cast<id_t>(keeper.manager), &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == keeper.manager) {
      on_manager_end(info);
    }
  }
  while (!keeper.exits.is_full()) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (info.si_pid == 0) return;
    if (info.si_pid == keeper.manager) {
      on_manager_end(info);
    } else {
      keeper.exits.push(info.si_pid, info.si_code, info.si_status, info.si_uid);
    }
  }
}

void on_signal(const signalfd_siginfo& info) noexcept {
  const int signal = static_cast<int>(info.ssi_signo);
  switch (signal) {
    case SIGCHLD:  // reap() follows
    case SIGPIPE:
    case SIGTTIN:
    case SIGTTOU:
    case SIGTSTP:
    case SIGCONT:
    case SIGURG:
      return;
    default:
      break;
  }
  if (static_cast<pid_t>(info.ssi_pid) == keeper.manager && keeper.manager != 0) return;
  // What a terminal sends goes to the whole process group, and so to the manager already.
  if (info.ssi_code == SI_KERNEL && !keeper.is_first_process) return;
  if (keeper.gave_up && !keeper.is_first_process && (signal == SIGTERM || signal == SIGINT)) {
    keeper.wants_shutdown = true;
    keeper.exit_code = 1;
    return;
  }
  forward(signal);
}

void receive_signals() noexcept {
  signalfd_siginfo signals[16];
  const ssize_t size = read(keeper.signals, signals, sizeof signals);
  if (size <= 0) return;
  for (size_t i = 0; i < static_cast<size_t>(size) / sizeof signals[0]; ++i) on_signal(signals[i]);
}

[[gnu::hot]] void wait_for_events(bool may_start) noexcept {
  pollfd events[2];
  events[0] = {keeper.signals, POLLIN, 0};
  events[1] = {keeper.link, static_cast<short>(keeper.blocked ? POLLIN | POLLOUT : POLLIN), 0};
  const nfds_t count = keeper.link >= 0 ? 2 : 1;
  const int timeout = keeper.crowded ? kCrowdedMs : may_start ? kRetryMs : kRestMs;
  int ready = poll(events, count, timeout);
  if (ready == 0 && timeout == kRestMs) {
    release_program_pages();  // nearly all of it is the manager's
    ready = poll(events, count, -1);
  }
  if (ready < 0) return;
  if (keeper.link >= 0 && events[1].revents != 0 && !receive_messages()) close_link();
  if ((events[0].revents & POLLIN) != 0) receive_signals();
}

// Executed by a keeper, of a version that had its manager in its own program: the place of a
// manager.
bool become_its_manager() noexcept {
  if (keeper.options->manager == nullptr || getenv(kKeeperLinkVariable) == nullptr) return false;
  int error = keeper.program.open(keeper.options->manager, keeper.options->argv[0]);
  if (error == 0) error = keeper.program.become(keeper.options->argv);
  say_failed("execute flotilla-manager", error);
  return true;
}

bool set_up() noexcept {
  keeper.is_first_process = getpid() == 1;
  keeper.link = -1;
  // Standard streams alone go on to services; whatever else we were started with stays out.
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (!keeper.is_first_process && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    say_failed("become the reaper of orphans", errno);
    return false;
  }
  // Blocked here and so in every manager: nothing gets lost between fork and signalfd. Faults of
  // our own are left to kill us.
  sigset_t all;
  sigfillset(&all);
  for (const int signal : kFaults) {
    sigdelset(&all, signal);
  }
  sigprocmask(SIG_SETMASK, &all, nullptr);
  keeper.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (keeper.signals < 0) {
    say_failed("receive signals", errno);
    return false;
  }
  if (keeper.options->argv != nullptr) {
    const int error = keeper.program.open(keeper.options->manager, keeper.options->argv[0]);
    if (error != 0 && keeper.options->manager != nullptr) {
      say_failed("open flotilla-manager, which belongs beside flotilla-init", error);
      return false;
    }
  }
  // The keeper holds the descriptors of all services.
  getrlimit(RLIMIT_NOFILE, &keeper.descriptors);
  const rlimit most{keeper.descriptors.rlim_max, keeper.descriptors.rlim_max};
  setrlimit(RLIMIT_NOFILE, &most);
  return true;
}

// In a pid namespace the kernel tells who started it by the signal that we end with. A container
// that may not do this just ends.
void end_machine() noexcept {
  if (!keeper.is_first_process || keeper.end == MachineEnd::kNone) return;
  sync();
  reboot(keeper.end == MachineEnd::kReboot     ? RB_AUTOBOOT
         : keeper.end == MachineEnd::kPoweroff ? RB_POWER_OFF
                                               : static_cast<int>(RB_HALT_SYSTEM));
}

}  // namespace

[[gnu::hot]] KeeperOutcome run_keeper(const KeeperOptions& options) noexcept {
  keeper.options = &options;
  KeeperOutcome outcome;
  outcome.exit_code = 1;
  if (become_its_manager() || !set_up()) return outcome;
  for (;;) {
    reap();
    if (keeper.manager == 0) {
      if (keeper.wants_shutdown) break;
      if (!keeper.gave_up) {
        const int link = start_manager();
        if (link >= 0) {
          outcome.is_manager = true;
          outcome.link_fd = link;
          return outcome;
        }
        if (keeper.wants_shutdown) break;
      }
    }
    update_manager();
    wait_for_events(keeper.manager == 0 && !keeper.gave_up);
  }
  end_machine();
  outcome.exit_code = keeper.exit_code;
  return outcome;
}

}  // namespace flotilla::init
