#include "init/keeper_program.h"

#include <fcntl.h>
#include <sched.h>
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

}  // namespace

bool KeeperProgram::find(const char* name, const char* argv0) noexcept {
  const ssize_t size = readlink("/proc/self/exe", path_, kPathSize - 1);
  if (size > 0) {
    path_[size] = '\0';
  } else {
    if (argv0 == nullptr || std::strlen(argv0) >= kPathSize) return false;
    std::memcpy(path_, argv0, std::strlen(argv0) + 1);
    char target[kPathSize];
    for (int links = 0; links < kMostLinks; ++links) {
      const ssize_t length = readlink(path_, target, kPathSize - 1);
      if (length <= 0) break;
      const size_t offset = target[0] == '/' ? 0 : name_offset(path_);
      if (offset + static_cast<size_t>(length) >= kPathSize) return false;
      std::memcpy(path_ + offset, target, static_cast<size_t>(length));
      path_[offset + static_cast<size_t>(length)] = '\0';
    }
  }
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
