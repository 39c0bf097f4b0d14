#include "init/linux_processes.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "init/process_stat.h"

namespace flotilla::init {

using base::Micros;

LinuxProcesses::LinuxProcesses(Children& children) noexcept
    : children_(children), self_(getpid()), keeper_(getppid()) {}

int LinuxProcesses::signal(pid_t pid, int signal) noexcept {
  // 0, -1 and 1 would reach far more than one process of a service.
  if (pid <= 1 || is_manager(pid)) return EINVAL;
  return ::kill(pid, signal) == 0 ? 0 : errno;
}

// A zombie still is a process here: its exit is on its way to us.
std::optional<ProcessInfo> LinuxProcesses::inspect(pid_t pid) const {
  if (pid <= 1 || is_manager(pid)) return std::nullopt;
  const auto stat = read_process_stat(pid);
  if (!stat || stat->state == 'X') return std::nullopt;
  static const int64_t ticks = sysconf(_SC_CLK_TCK);
  const auto seconds = static_cast<int64_t>(stat->start_ticks) / ticks;
  const auto rest = static_cast<int64_t>(stat->start_ticks) % ticks;
  return ProcessInfo{stat->parent, {Micros(seconds * 1'000'000 + rest * 1'000'000 / ticks)}};
}

bool LinuxProcesses::is_ours(const ProcessInfo& info) const noexcept {
  return info.parent == self_ || info.parent == keeper_;
}

void LinuxProcesses::fill_random(std::span<uint8_t> bytes) noexcept {
  for (uint8_t& byte : bytes) {
    while (random_left_ == 0) {
      const ssize_t got = getrandom(random_.data(), random_.size(), 0);
      if (got > 0) random_left_ = static_cast<size_t>(got);
      if (got < 0 && errno != EINTR) return;
    }
    byte = random_[--random_left_];
  }
}

}  // namespace flotilla::init
