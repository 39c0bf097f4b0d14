#include "init/keeper_program.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "init/spawn_syscall.h"

namespace flotilla::init {
namespace {

extern "C" long flotilla_clone(long flags, void* stack_end, int32_t* parent_tid,
                               int (*child)(void*), void* context);

constexpr int kMostLinks = 40;
constexpr size_t kMostDigits = 10;

struct Start {
  int program;
  int link;
  char* const* argv;
  char* const* environment;
  const rlimit* descriptors;
  long error;
};

long execute(int program, char* const* argv, char* const* environment) noexcept {
  return -raw_syscall(SYS_execveat, program, raw_address(""), raw_address(argv),
                      raw_address(environment), AT_EMPTY_PATH);
}

// In the child, whose memory is the keeper's.
int run_child(void* context) noexcept {
  Start& start = *static_cast<Start*>(context);
  raw_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, raw_address(start.descriptors), 0);
  raw_syscall(SYS_fcntl, start.link, F_SETFD, 0);
  start.error = execute(start.program, start.argv, start.environment);
  return 127;
}

// "NAME=NUMBER"
void write_link_variable(char* to, int link) noexcept {
  size_t size = sizeof kKeeperLinkVariable - 1;
  std::memcpy(to, kKeeperLinkVariable, size);
  to[size++] = '=';
  char digits[kMostDigits];
  size_t count = 0;
  for (int rest = link; count == 0 || rest != 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  while (count > 0) to[size++] = digits[--count];
  to[size] = '\0';
}

// The place behind the last slash.
size_t name_offset(const char* path) noexcept {
  size_t offset = 0;
  for (size_t i = 0; path[i] != '\0'; ++i) {
    if (path[i] == '/') offset = i + 1;
  }
  return offset;
}

bool begins_with(const char* text, const char* beginning) noexcept {
  for (; *beginning != '\0'; ++text, ++beginning) {
    if (*text != *beginning) return false;
  }
  return true;
}

// A path that says the same wherever we stand, and when descriptors have come and gone.
bool is_lasting_path(const char* path) noexcept {
  return path != nullptr && path[0] == '/' && !begins_with(path, "/dev/") &&
         !begins_with(path, "/proc/");
}

const char* address_of_auxiliary(unsigned long kind) noexcept {
  return reinterpret_cast<const char*>(getauxval(kind));  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

// The path with the links at its end followed. False where it leads to nothing.
bool KeeperProgram::follow(const char* path) noexcept {
  if (path == nullptr || std::strlen(path) >= kPathSize) return false;
  std::memcpy(path_, path, std::strlen(path) + 1);
  char target[kPathSize];
  for (int links = 0; links < kMostLinks; ++links) {
    const ssize_t size = readlink(path_, target, kPathSize - 1);
    if (size <= 0) return size < 0 && errno == EINVAL;  // no link
    const size_t offset = target[0] == '/' ? 0 : name_offset(path_);
    const auto length = static_cast<size_t>(size);
    if (offset + length >= kPathSize) return false;
    std::memcpy(path_ + offset, target, length);
    path_[offset + length] = '\0';
  }
  return false;
}

bool KeeperProgram::find_own(const char* argv0) noexcept {
  // What the kernel was given is known at once, its own look-up of a process takes 20 us.
  const char* const executed = address_of_auxiliary(AT_EXECFN);
  if (is_lasting_path(executed) && follow(executed)) return true;
  const ssize_t size = readlink("/proc/self/exe", path_, kPathSize - 1);
  if (size > 0) path_[size] = '\0';
  return size > 0 || follow(argv0);
}

bool KeeperProgram::find(const char* name, const char* argv0) noexcept {
  if (!find_own(argv0)) return false;
  if (name == nullptr) return true;
  const size_t offset = name_offset(path_);
  if (offset + std::strlen(name) >= kPathSize) return false;
  std::memcpy(path_ + offset, name, std::strlen(name) + 1);
  return true;
}

int KeeperProgram::open(const char* name, const char* argv0) noexcept {
  if (!find(name, argv0)) return ENOENT;
  fd_ = ::open(path_, O_PATH | O_CLOEXEC);
  return fd_ < 0 ? errno : 0;
}

pid_t KeeperProgram::start_renewed(char* const* argv, int link,
                                   const rlimit& descriptors) noexcept {
  const int before = fd_;
  fd_ = ::open(path_, O_PATH | O_CLOEXEC);
  const pid_t pid = fd_ < 0 ? -errno : start(argv, link, descriptors);
  const int unused = pid > 0 ? before : fd_;
  if (pid <= 0) fd_ = before;
  if (unused >= 0) close(unused);
  return pid;
}

pid_t KeeperProgram::start(char* const* argv, int link, const rlimit& descriptors) noexcept {
  alignas(16) char stack[4096];
  size_t count = 0;
  while (environ[count] != nullptr) ++count;
  char** const environment = static_cast<char**>(__builtin_alloca((count + 2) * sizeof(char*)));
  std::memcpy(environment, environ, count * sizeof(char*));
  char variable[sizeof kKeeperLinkVariable + 1 + kMostDigits];
  write_link_variable(variable, link);
  environment[count] = variable;
  environment[count + 1] = nullptr;
  Start start{fd_, link, argv, environment, &descriptors, 0};
  // The child has its own descriptors, and is gone or has memory of its own when this returns.
  const long pid = flotilla_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + sizeof stack, nullptr,
                                  &run_child, &start);
  if (pid < 0 || start.error == 0) return static_cast<pid_t>(pid);
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return static_cast<pid_t>(-start.error);
}

int KeeperProgram::become(char* const* argv) noexcept {
  return static_cast<int>(execute(fd_, argv, environ));
}

}  // namespace flotilla::init
