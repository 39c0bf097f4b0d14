// flotilla-logd: see logs/log_daemon.h. Links libc alone.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>

#include "logs/log_daemon.h"
#include "logs/logd_options.h"

namespace {

using flotilla::logs::DaemonConfig;
using flotilla::logs::LogDaemon;
using flotilla::logs::LogdOptions;

std::int64_t wall_nsec() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

int fail(const char* what, const char* subject, int error_number) {
  std::fprintf(stderr, "flotilla-logd: %s %s: %s\n", what, subject, std::strerror(error_number));
  return 1;
}

bool is_control_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  constexpr rlim_t kEnough = rlim_t{1} << 20;
  return static_cast<std::size_t>(limit.rlim_cur < kEnough ? limit.rlim_cur : kEnough);
}

int run(const LogdOptions& options) {
  if (!is_control_socket(flotilla::logs::kControlFd)) {
    std::fprintf(stderr,
                 "flotilla-logd: expected the control socket (SOCK_SEQPACKET) on descriptor 3; "
                 "flotilla-init starts this program\n");
    return 1;
  }
  // What cannot be written is told by write(), not by a signal.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  DaemonConfig config;
  config.max_descriptors = raise_descriptor_limit();
  if (const int failure = flotilla::logs::make_directories(options.directory)) {
    return fail("make directory", options.directory, failure);
  }
  config.place.directory = ::open(options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (config.place.directory < 0) return fail("open directory", options.directory, errno);
  // A predecessor that is still writing out its last reads is waited for: what this one then reads
  // comes behind it.
  while (::flock(config.place.directory, LOCK_EX) != 0) {
    if (errno != EINTR) return fail("lock directory", options.directory, errno);
  }
  if (options.units[0] != '\0') config.units = options.units;
  config.place.max_segment_size = options.max_segment_size;
  config.place.keep_segments = options.keep_segments;
  config.place.own_pid = ::getpid();
  config.place.wall_nsec = wall_nsec;
  flotilla::logs::load_boot_id(config.place.boot.bytes);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  config.signals = ::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
  if (config.signals < 0) return fail("make", "signalfd", errno);
  // Static, and never destroyed: the process ends with it.
  alignas(LogDaemon) static unsigned char storage[sizeof(LogDaemon)];
  auto& daemon = *new (storage) LogDaemon(config);
  if (const int failure = daemon.start()) return fail("make", "epoll set", failure);
  while (daemon.turn(-1)) {
  }
  daemon.finish();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  static LogdOptions options;
  flotilla::logs::parse_logd_options(argc, argv, options);
  switch (options.action) {
    case LogdOptions::Action::kHelp:
      std::fputs(flotilla::logs::kLogdUsage, stdout);
      return 0;
    case LogdOptions::Action::kVersion:
      std::puts("flotilla-logd " FLOTILLA_VERSION);
      return 0;
    case LogdOptions::Action::kWrong:
      std::fprintf(stderr, "flotilla-logd: %s\n", options.problem);
      return 2;
    case LogdOptions::Action::kRun:
      return run(options);
  }
  return 1;
}
