// For tests: the life of one service in virtual time. A fake edge carries out the machine's actions
// and writes down what a user would see.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "init/service_machine.h"

namespace flotilla::init {

constexpr ProcessExit exited(int status) { return {CLD_EXITED, status}; }
constexpr ProcessExit killed(int signal) { return {CLD_KILLED, signal}; }
constexpr base::Micros seconds(int64_t n) { return base::Micros(n * 1'000'000); }

inline unit::Command command(const char* path) { return {path, {path}}; }

// One service, its processes, its timers and its log.
class Life {
 public:
  Life() { commands(ServiceCommand::kStart) = {command("/main")}; }

  ServiceSettings settings;
  std::array<std::vector<unit::Command>, static_cast<size_t>(ServiceCommand::kCount)> all_commands;
  KillSettings kill;
  ServiceState state;
  bool stop_job = false;
  bool restart_job = false;
  bool spawn_works = true;
  bool exec_works = true;
  size_t others = 0;  // processes beside main and control
  pid_t pid_from_file = 0;
  pid_t guessed = 0;
  base::Micros runtime_extra{0};
  int reload_signals = 0;
  std::vector<std::string> story;  // what was done, in order
  std::vector<std::string> lines;  // the log
  std::vector<ServiceSubState> states;
  std::vector<std::string> signals;
  int restarts_asked = 0;
  bool said_auto_restart = false;

  std::vector<unit::Command>& commands(ServiceCommand which) {
    return all_commands[static_cast<size_t>(which)];
  }

  void feed(const ServiceEvent& event) {
    ServiceCommands all;
    for (size_t kind = 0; kind < all_commands.size(); ++kind) {
      for (const unit::Command& line : all_commands[kind]) {
        all.add(static_cast<ServiceCommand>(kind), line);
      }
    }
    const NeededFacts needed = needed_facts(settings, all, state, event.kind);
    ServiceFacts facts{settings, all, kill, now_};
    facts.stop_job = stop_job;
    facts.restart_job = restart_job;
    facts.runtime_extra = runtime_extra;
    if (needed.processes) {
      // The process that just ended does not count any more.
      const bool main = state.main_pid > 0 && event.kind != ServiceEvent::Kind::kMainExit;
      const bool control = state.control_pid > 0 && event.kind != ServiceEvent::Kind::kControlExit;
      const bool any = others > 0 || main || control;
      facts.processes = any ? ServiceFacts::Processes::kSome : ServiceFacts::Processes::kNone;
    }
    if (minds_left_overs(kill, state, event.kind)) facts.left_overs = others > 0;
    if (needed.pid_file) facts.pid_from_file = pid_from_file;
    if (needed.guess) facts.guessed_main_pid = guessed;
    ServiceActions actions;
    step(state, event, facts, actions);
    std::optional<ServiceEvent> outcome;
    for (const ServiceAction& action : actions) {
      ASSERT_FALSE(outcome.has_value()) << "an action behind one whose outcome is awaited";
      outcome = carry_out(action);
    }
    ASSERT_EQ(outcome.has_value(), state.awaits != ServiceState::Awaits::kNothing);
    if (outcome) feed(*outcome);
  }
  void feed(ServiceEvent::Kind kind) { feed(ServiceEvent::of(kind)); }
  void main_exits(ProcessExit exit) { feed(ServiceEvent::main_exit(exit)); }
  void control_exits(ProcessExit exit) { feed(ServiceEvent::control_exit(exit)); }

  // Lets time pass, with every timer on the way.
  void pass(base::Micros span) {
    const base::MonotonicTime until = now_ + span;
    for (;;) {
      const base::MonotonicTime next = std::min(state.timeout_at, state.watchdog_at);
      if (next.is_never() || next > until) break;
      now_ = std::max(now_, next);
      if (next == state.watchdog_at) {
        state.watchdog_at = base::MonotonicTime::never();
        feed(ServiceEvent::Kind::kWatchdogTimeout);
      } else {
        state.timeout_at = base::MonotonicTime::never();
        feed(ServiceEvent::Kind::kTimeout);
      }
    }
    now_ = until;
  }
  base::MonotonicTime now() const { return now_; }

  // A stop job from beginning to end, for processes that obey.
  void stop() {
    stop_job = true;
    feed(ServiceEvent::Kind::kStop);
    stop_job = false;
  }
  void obey() {
    while (state.control_pid > 0) control_exits(exited(0));
    others = 0;
    if (state.main_pid > 0) main_exits(killed(SIGTERM));
  }
  ActiveState active() const { return active_state_of(settings.type, state.sub); }

 private:
  std::optional<ServiceEvent> carry_out(const ServiceAction& action) {
    switch (action.kind) {
      case ServiceAction::Kind::kEnterState:
        states.push_back(action.state);
        story.push_back("=" + std::string(to_string(action.state)));
        said_auto_restart |= action.flag;
        return std::nullopt;
      case ServiceAction::Kind::kSpawn:
        story.emplace_back(commands(action.command)[action.index].path());
        if (!spawn_works) return ServiceEvent::of(ServiceEvent::Kind::kSpawnFailed);
        return ServiceEvent::spawned(next_pid_++, exec_works);
      case ServiceAction::Kind::kKill: {
        std::string whom;
        if (action.kill.main) whom += "m";
        if (action.kill.control) whom += "c";
        if (action.kill.others && others > 0) whom += "o";
        signals.push_back(std::to_string(action.kill.signal) + whom +
                          (action.kill.hangup ? "+hup" : ""));
        return ServiceEvent::kill_sent(!whom.empty());
      }
      case ServiceAction::Kind::kReloadSignal:
        ++reload_signals;
        return std::nullopt;
      case ServiceAction::Kind::kQueueRestart:
        ++restarts_asked;
        return std::nullopt;
      case ServiceAction::Kind::kLog:
        lines.push_back(text_of(action));
        return std::nullopt;
      case ServiceAction::Kind::kReleaseResources:
        story.emplace_back("release");
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }

  base::MonotonicTime now_{seconds(100)};
  pid_t next_pid_ = 1000;
};

inline Life notify_life() {
  Life life;
  life.settings.type = ServiceType::kNotify;
  life.settings.notify_access = NotifyAccess::kMain;
  return life;
}

}  // namespace flotilla::init
