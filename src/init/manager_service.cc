// A service's own part of its events: what its watches and timers tell, and the record of its runs.
#include "init/manager_service.h"

#include <csignal>
#include <utility>

#include "init/manager_impl.h"

namespace flotilla::init {

using Kind = ServiceEvent::Kind;

// There is one for each service, also for those that never do anything.
static_assert(sizeof(ServiceRuntime) <= 248, "what few services need belongs into the extras");

ServiceRuntime::ServiceRuntime(Manager::Impl& owner, Unit& of_unit)
    : manager(owner),
      unit(of_unit),
      main_watch(Callback<void(const ChildExit&)>::to<&ServiceRuntime::on_main_exit>(*this)) {}

void ServiceRuntime::on_timeout() { manager.feed(unit, ServiceEvent::of(Kind::kTimeout)); }
void ServiceRuntime::on_watchdog() {
  if (manager.options.service_watchdogs) {
    return manager.feed(unit, ServiceEvent::of(Kind::kWatchdogTimeout));
  }
  manager.edges.logs.message(unit.id, 4, "Watchdog disabled! Ignoring watchdog timeout");
}
void ServiceRuntime::on_pid_file_change() { manager.feed(unit, ServiceEvent::of(Kind::kPidFile)); }

void ServiceRuntime::arm_verify() {
  auto& verify = extras.edit().verify;
  if (!verify) {
    verify = std::make_unique<Timer>(Callback<void()>::to<&ServiceRuntime::on_verify>(*this));
  }
  manager.edges.timers.arm_after(*verify, kVerifyDelay);
}

// After an adoption: a process that is gone and whose exit nobody has told a second later was
// reaped by a keeper that died too. The first look may come between the keeper's reaping and its
// word.
void ServiceRuntime::on_verify() {
  const auto is_lost = [&](const ChildWatch& watch) {
    return watch.is_watching() && !manager.edges.processes.inspect(watch.pid());
  };
  const bool is_any_lost = is_lost(main_watch) || (control_watch && is_lost(*control_watch));
  if (is_any_lost && !was_lost) {
    was_lost = true;
    return arm_verify();
  }
  const auto lose = [&](ChildWatch& watch, bool is_main) {
    const ChildExit exit{watch.pid(), CLD_KILLED, SIGKILL, 0};
    manager.edges.logs.message(
        unit.id, 4,
        fmt::format("{}: Process {} is gone, and how it ended is not known.", unit.id, exit.pid));
    manager.edges.processes.unwatch(watch);
    is_main ? on_main_exit(exit) : on_control_exit(exit);
  };
  if (is_lost(main_watch)) lose(main_watch, true);
  if (control_watch && is_lost(*control_watch)) lose(*control_watch, false);
  extras.edit().verify.reset();
  // Nobody is left to tell of a program that has been executed meanwhile.
  manager.feed(unit, ServiceEvent::of(Kind::kExecuted));
}

void ServiceRuntime::on_main_exit(const ChildExit& exit) {
  check_oom(exit);
  // Why it ended comes before that it ended.
  manager.settle_spawns(0);
  manager.read_report(unit, true);
  manager.record_exit(unit, true, exit);
  manager.feed(unit, ServiceEvent::main_exit({exit.code, exit.status}));
}

void ServiceRuntime::on_control_exit(const ChildExit& exit) {
  check_oom(exit);
  // What mount(8) did comes before that it ended.
  if (Manager::Impl::is_mount(unit)) manager.refresh_mounts();
  manager.settle_spawns(0);
  manager.read_report(unit, false);
  manager.record_exit(unit, false, exit);
  manager.feed(unit, ServiceEvent::control_exit({exit.code, exit.status}));
}

void ServiceRuntime::on_oom() { manager.feed(unit, ServiceEvent::of(Kind::kOutOfMemory)); }

// The kernel's word on why it killed may come behind the exit: then it is asked for, so that the
// result is the cause.
void ServiceRuntime::check_oom(const ChildExit& exit) {
  const bool may_be = exit.code == CLD_KILLED && exit.status == SIGKILL && group;
  if (may_be && group->was_oom_killed()) on_oom();
}

void ServiceRuntime::on_processes_gone() {
  manager.feed(unit, ServiceEvent::of(Kind::kProcessesGone));
  manager.forget_left_overs(unit);
}

ChildWatch& ServiceRuntime::watch_control() {
  if (!control_watch) {
    control_watch = std::make_unique<ChildWatch>(
        Callback<void(const ChildExit&)>::to<&ServiceRuntime::on_control_exit>(*this));
  }
  return *control_watch;
}

CommandRun* ServiceRuntime::find_run(ServiceCommand command, size_t index) noexcept {
  if (main_line_ != kNoLine && command == ServiceCommand::kStart && index == main_line_) {
    return &main_run;
  }
  for (LineRun& line : runs_) {
    if (line.command == command && line.index == index) return &line.run;
  }
  return nullptr;
}

void ServiceRuntime::note_run(const CommandRun& run, ServiceCommand command, uint16_t index,
                              bool is_control) {
  if (!is_control) set_main_run_aside();
  if (CommandRun* const earlier = find_run(command, index)) {
    *earlier = run;
  } else if (!is_control && command == ServiceCommand::kStart && index != kNoLine) {
    main_line_ = index;
  } else {
    runs_.push_back({run, command, index});
  }
  (is_control ? extras.edit().control_run : main_run) = run;
}

void ServiceRuntime::set_main_run_aside() {
  if (main_line_ == kNoLine) return;
  runs_.push_back({main_run, ServiceCommand::kStart, main_line_});
  main_line_ = kNoLine;
}

void ServiceRuntime::forget_runs(bool keeps_lines) noexcept {
  if (keeps_lines) {
    if (main_line_ != kNoLine) main_run = {};
    for (LineRun& line : runs_) line.run = {};
  } else {
    main_line_ = kNoLine;
    runs_.clear();
  }
}

}  // namespace flotilla::init
