// fleet-lease: see agent/lease_guard.h. Started by the service manager as fleet-lease.service,
// which fleetd writes.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/lease_guard.h"
#include "base/fd.h"
#include "base/service_notify.h"
#include "bus/poll_event_loop.h"
#include "bus/systemd1_client.h"

namespace {

using flotilla::agent::LeaseGuard;
using flotilla::agent::LeaseGuardParts;
using flotilla::agent::LeaseRecord;
using flotilla::base::Fd;
namespace base = flotilla::base;
namespace bus = flotilla::bus;

constexpr const char* kUsage =
    "Usage: fleet-lease RECORD MANAGER_SOCKET UNIT\n"
    "\n"
    "Stops the units that must not run twice when fleetd does not renew this machine's lease in\n"
    "time. The service manager runs it as fleet-lease.service, to which those units are bound.\n"
    "\n"
    "  RECORD           the file in which fleetd writes until when the lease holds\n"
    "  MANAGER_SOCKET   the service manager\n"
    "  UNIT             its own name\n"
    "  --version, --help\n";

int fail(const char* what, const char* subject) {
  std::fprintf(stderr, "fleet-lease: %s %s: %s\n", what, subject,
               base::describe_errno(errno).c_str());
  return 1;
}

std::string read_file(const char* path) {
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 512> bytes{};
  const ssize_t n = fd ? ::read(fd.get(), bytes.data(), bytes.size()) : 0;
  return {bytes.data(), static_cast<size_t>(n > 0 ? n : 0)};
}

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void drain(int fd) {
  std::array<char, 4096> bytes;
  while (::read(fd, bytes.data(), bytes.size()) > 0) {
  }
}

void arm(int timer, base::BoottimeTime at) {
  // Not zero, which would disarm it.
  const int64_t usec = std::max<int64_t>(at.since_epoch.count(), 1);
  itimerspec when{};
  when.it_value.tv_sec = usec / 1'000'000;
  when.it_value.tv_nsec = usec % 1'000'000 * 1000;
  ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr);
}

void notify(std::string_view assignments) {
  if (const base::Status sent = base::notify_service_manager(assignments); !sent) {
    std::fprintf(stderr, "fleet-lease: %s\n", sent.error().message.c_str());
  }
}

int run(const char* record_path, const char* manager_socket, const char* unit) {
  bus::PollEventLoop loop;
  const Fd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return fail("make", "a timer");
  const Fd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!changes || ::inotify_add_watch(changes.get(), record_path, IN_MODIFY) < 0) {
    return fail("watch", record_path);
  }
  int exit_code = -1;
  LeaseGuardParts parts{
      loop,
      boot_id(),
      unit,
      [record_path] { return flotilla::agent::decode_lease_record(read_file(record_path)); },
      [&timer](base::BoottimeTime at) { arm(timer.get(), at); },
      [&]() -> std::unique_ptr<bus::UnitManager> {
        bus::Systemd1ClientOptions options;
        options.connection.socket_path = manager_socket;
        return std::make_unique<bus::Systemd1Client>(loop, options);
      },
      notify,
      [&exit_code](int code) { exit_code = code; }};
  LeaseGuard guard(std::move(parts));
  const auto look = [&](int fd) {
    return loop.watch(fd, EPOLLIN, [&guard, fd](uint32_t) {
      drain(fd);
      guard.look();
    });
  };
  const base::RegistrationPtr timer_watch = look(timer.get());
  const base::RegistrationPtr record_watch = look(changes.get());
  guard.look();
  while (exit_code < 0) loop.turn(std::chrono::hours(1));
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--version") {
    std::printf("fleet-lease version %s\n", FLOTILLA_VERSION);
    return 0;
  }
  if (first == "--help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc != 4) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  return run(argv[1], argv[2], argv[3]);
}
