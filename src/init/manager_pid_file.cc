// PIDFile=: what it names, and the wait for it.
#include <charconv>

#include "init/manager_impl.h"

namespace flotilla::init {

void Manager::Impl::read_pid_file(const Unit& unit, ServiceFacts& facts) const {
  const auto text = edges.host.read(unit.settings.service->extras->pid_file, 64);
  if (!text) return;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
  if (error != std::errc() || pid <= 1 || end == text->data()) return;
  const auto info = edges.processes.inspect(pid);
  if (!info) return;
  facts.pid_from_file = pid;
  facts.pid_from_file_alien = !edges.processes.is_ours(*info);
}

// The event is for what came before the watch was there.
ServiceEvent Manager::Impl::watch_pid_file(Unit& unit) {
  auto& pid_file_watch = unit.service->extras.edit().pid_file_watch;
  if (!pid_file_watch) {
    pid_file_watch = std::make_unique<PathWatch>(
        Callback<void()>::to<&ServiceRuntime::on_pid_file_change>(*unit.service));
  }
  const std::string path = edges.host.host_path(unit.settings.service->extras->pid_file);
  if (const base::Status watched = edges.paths.watch(*pid_file_watch, path); !watched) {
    edges.logs.message(unit.id, 4,
                       fmt::format("{}: Failed to set a watch for PID file {}: {}", unit.id, path,
                                   watched.error().message));
  }
  return ServiceEvent::of(ServiceEvent::Kind::kPidFile);
}

}  // namespace flotilla::init
