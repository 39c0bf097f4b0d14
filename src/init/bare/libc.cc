// What the keeper calls of the C library, over raw system calls and with its names, so that the
// keeper's sources are those that tests run on libc. One thread, no locale, no buffers.
#include <elf.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "init/spawn_syscall.h"

using flotilla::init::raw_address;
using flotilla::init::raw_syscall;

namespace {

constexpr size_t kSignalSetSize = 8;  // of the kernel

int last_error;

template <typename... Arguments>
long call(long number, Arguments... arguments) noexcept {
  const long result = raw_syscall(number, arguments...);
  if (result >= 0 || result < -4095) return result;
  last_error = static_cast<int>(-result);
  return -1;
}

// The compiler must not find a memcpy in a memcpy.
void keep_loop() noexcept { __asm__ volatile("" ::: "memory"); }

}  // namespace

char** environ;

extern "C" {

int* __errno_location() noexcept { return &last_error; }

void* memcpy(void* to, const void* from, size_t size) noexcept {
  for (size_t i = 0; i < size; ++i, keep_loop()) {
    static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
  }
  return to;
}

void* memmove(void* to, const void* from, size_t size) noexcept {
  if (to <= from) return memcpy(to, from, size);
  for (size_t i = size; i > 0; --i, keep_loop()) {
    static_cast<char*>(to)[i - 1] = static_cast<const char*>(from)[i - 1];
  }
  return to;
}

void* memset(void* to, int value, size_t size) noexcept {
  for (size_t i = 0; i < size; ++i, keep_loop())
    static_cast<char*>(to)[i] = static_cast<char>(value);
  return to;
}

int memcmp(const void* left, const void* right, size_t size) noexcept {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (size_t i = 0; i < size; ++i, keep_loop()) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

// What clang makes of a memcmp that is only asked whether there is a difference.
int bcmp(const void* left, const void* right, size_t size) noexcept {
  return memcmp(left, right, size);
}

size_t strnlen(const char* text, size_t most) noexcept {
  size_t size = 0;
  for (; size < most && text[size] != '\0'; ++size) keep_loop();
  return size;
}

size_t strlen(const char* text) noexcept { return strnlen(text, static_cast<size_t>(-1)); }

char* getenv(const char* name) noexcept {
  const size_t size = strlen(name);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strnlen(*entry, size) == size && memcmp(*entry, name, size) == 0 && (*entry)[size] == '=') {
      return *entry + size + 1;
    }
  }
  return nullptr;
}

// What the kernel tells stands behind the environment, which nothing here changes.
unsigned long getauxval(unsigned long type) noexcept {
  char** end = environ;
  while (*end != nullptr) ++end;
  const auto* entry = reinterpret_cast<const Elf64_auxv_t*>(end + 1);
  for (; entry->a_type != AT_NULL; ++entry) {
    if (entry->a_type == type) return entry->a_un.a_val;
  }
  return 0;
}

int open(const char* path, int flags, ...) {
  return static_cast<int>(call(SYS_openat, AT_FDCWD, raw_address(path), flags, 0L));
}

int close(int fd) { return static_cast<int>(call(SYS_close, fd)); }

ssize_t read(int fd, void* to, size_t size) {
  return call(SYS_read, fd, raw_address(to), static_cast<long>(size));
}

ssize_t write(int fd, const void* from, size_t size) {
  return call(SYS_write, fd, raw_address(from), static_cast<long>(size));
}

ssize_t readlink(const char* path, char* to, size_t size) noexcept {
  return call(SYS_readlinkat, AT_FDCWD, raw_address(path), raw_address(to),
              static_cast<long>(size));
}

int close_range(unsigned int first, unsigned int last, int flags) noexcept {
  return static_cast<int>(
      call(SYS_close_range, static_cast<long>(first), static_cast<long>(last), flags));
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const long value = va_arg(arguments, long);
  va_end(arguments);
  return static_cast<int>(call(SYS_fcntl, fd, command, value));
}

int prctl(int option, ...) noexcept {
  va_list arguments;
  va_start(arguments, option);
  long values[4];
  for (long& value : values) value = va_arg(arguments, long);
  va_end(arguments);
  return static_cast<int>(call(SYS_prctl, option, values[0], values[1], values[2], values[3]));
}

int poll(pollfd* events, nfds_t count, int timeout_ms) {
  timespec timeout{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  return static_cast<int>(call(SYS_ppoll, raw_address(events), static_cast<long>(count),
                               timeout_ms < 0 ? 0L : raw_address(&timeout), 0L,
                               static_cast<long>(kSignalSetSize)));
}

int socketpair(int domain, int type, int protocol, int fds[2]) noexcept {
  return static_cast<int>(call(SYS_socketpair, domain, type, protocol, raw_address(fds)));
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return call(SYS_sendmsg, fd, raw_address(message), flags);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return call(SYS_recvmsg, fd, raw_address(message), flags);
}

cmsghdr* __cmsg_nxthdr(msghdr* message, cmsghdr* header) noexcept {
  char* const end = static_cast<char*>(message->msg_control) + message->msg_controllen;
  char* const next = reinterpret_cast<char*>(header) + CMSG_ALIGN(header->cmsg_len);
  if (header->cmsg_len < sizeof(cmsghdr) || next + sizeof(cmsghdr) > end) return nullptr;
  auto* const found = reinterpret_cast<cmsghdr*>(next);
  return next + CMSG_ALIGN(found->cmsg_len) > end ? nullptr : found;
}

pid_t getpid() noexcept { return static_cast<pid_t>(raw_syscall(SYS_getpid)); }

pid_t fork() noexcept { return static_cast<pid_t>(call(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L)); }

int kill(pid_t pid, int signal) noexcept { return static_cast<int>(call(SYS_kill, pid, signal)); }

int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
  return static_cast<int>(call(SYS_waitid, static_cast<long>(kind), static_cast<long>(id),
                               raw_address(info), options, 0L));
}

// All but the two that libc keeps for itself in every program that has one.
int sigfillset(sigset_t* set) noexcept {
  memset(set, 0xff, sizeof *set);
  sigdelset(set, 32);
  sigdelset(set, 33);
  return 0;
}

int sigdelset(sigset_t* set, int signal) noexcept {
  set->__val[0] &= ~(1UL << (signal - 1));
  return 0;
}

int sigprocmask(int how, const sigset_t* set, sigset_t* before) noexcept {
  return static_cast<int>(call(SYS_rt_sigprocmask, how, raw_address(set), raw_address(before),
                               static_cast<long>(kSignalSetSize)));
}

int signalfd(int fd, const sigset_t* set, int flags) noexcept {
  return static_cast<int>(
      call(SYS_signalfd4, fd, raw_address(set), static_cast<long>(kSignalSetSize), flags));
}

int getrlimit(__rlimit_resource_t resource, rlimit* limit) noexcept {
  return static_cast<int>(
      call(SYS_prlimit64, 0L, static_cast<long>(resource), 0L, raw_address(limit)));
}

int setrlimit(__rlimit_resource_t resource, const rlimit* limit) noexcept {
  return static_cast<int>(
      call(SYS_prlimit64, 0L, static_cast<long>(resource), raw_address(limit), 0L));
}

int clock_gettime(clockid_t clock, timespec* to) noexcept {
  return static_cast<int>(call(SYS_clock_gettime, clock, raw_address(to)));
}

void sync() noexcept { raw_syscall(SYS_sync); }

int reboot(int how) noexcept {
  return static_cast<int>(call(SYS_reboot, static_cast<long>(LINUX_REBOOT_MAGIC1),
                               static_cast<long>(LINUX_REBOOT_MAGIC2), how, 0L));
}

}  // extern "C"
