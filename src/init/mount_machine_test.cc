#include "init/mount_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <optional>

#include "init/mount_settings.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using Kind = ServiceEvent::Kind;
using Sub = ServiceSubState;

constexpr ProcessExit exited(int status) { return {CLD_EXITED, status}; }
constexpr ProcessExit killed(int signal) { return {CLD_KILLED, signal}; }

// One mount, what the kernel says of it, and its log.
class Life {
 public:
  ServiceSettings settings;
  ServiceCommands commands;
  KillSettings kill;
  ServiceState state;
  bool is_mounted = false, spawn_works = true, kill_reaches = true;
  std::vector<std::string> story;  // states, commands and signals in order
  std::vector<std::string> lines;  // the log

  void feed(const ServiceEvent& event) {
    ServiceFacts facts{settings, commands, kill, base::MonotonicTime{base::Micros(1'000'000)}};
    facts.is_mounted = is_mounted;
    ServiceActions actions;
    step_mount(state, event, facts, actions);
    std::optional<ServiceEvent> outcome;
    for (const ServiceAction& action : actions) {
      ASSERT_FALSE(outcome.has_value()) << "an action behind one whose outcome is awaited";
      outcome = carry_out(action);
    }
    ASSERT_EQ(outcome.has_value(), state.awaits != ServiceState::Awaits::kNothing);
    if (outcome) feed(*outcome);
  }
  void feed(Kind kind) { feed(ServiceEvent::of(kind)); }
  void exits(ProcessExit exit) { feed(ServiceEvent::control_exit(exit)); }
  void appears() {
    is_mounted = true;
    feed(Kind::kMounted);
  }
  void goes() {
    is_mounted = false;
    feed(Kind::kUnmounted);
  }
  void mount() {
    feed(Kind::kStart);
    appears();
    exits(exited(0));
  }
  std::string at() const { return std::string(to_string(state.sub)); }
  std::string result() const { return std::string(to_string(state.result)); }

 private:
  std::optional<ServiceEvent> carry_out(const ServiceAction& action) {
    switch (action.kind) {
      case ServiceAction::Kind::kEnterState:
        story.push_back("=" + std::string(to_string(action.state)));
        return std::nullopt;
      case ServiceAction::Kind::kSpawn:
        story.emplace_back(action.command == ServiceCommand::kStart    ? "mount"
                           : action.command == ServiceCommand::kReload ? "remount"
                                                                       : "umount");
        if (!spawn_works) return ServiceEvent::of(Kind::kSpawnFailed);
        return ServiceEvent::spawned(100, true);
      case ServiceAction::Kind::kKill:
        story.push_back(std::to_string(action.kill.signal));
        return ServiceEvent::kill_sent(kill_reaches);
      case ServiceAction::Kind::kLog:
        lines.push_back(text_of(action));
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }
};

TEST(MountMachine, MountsAndUnmounts) {
  Life life;
  life.mount();
  EXPECT_THAT(life.story, ElementsAre("mount", "=mounting", "=mounting-done", "=mounted"));
  EXPECT_TRUE(life.state.timeout_at.is_never());
  life.story.clear();
  life.feed(Kind::kStop);
  EXPECT_EQ(life.at(), "unmounting");
  EXPECT_FALSE(life.state.timeout_at.is_never());
  life.goes();
  life.exits(exited(0));
  EXPECT_THAT(life.story, ElementsAre("umount", "=unmounting", "=dead"));
  EXPECT_EQ(life.lines.back(), "Deactivated successfully.");
}

TEST(MountMachine, ACommandThatFailsFailsTheMount) {
  Life life;
  life.feed(Kind::kStart);
  life.exits(exited(32));
  EXPECT_EQ(life.at(), "failed");
  EXPECT_EQ(life.result(), "exit-code");
  EXPECT_THAT(life.lines, ElementsAre("Mount process exited, code=exited, status=32/n/a",
                                      "Failed with result 'exit-code'."));
  life.feed(Kind::kResetFailed);
  EXPECT_EQ(life.at(), "dead");
  EXPECT_EQ(life.result(), "success");
}

TEST(MountMachine, ACommandThatSucceedsWithoutAMountIsNotBelieved) {
  Life life;
  life.feed(Kind::kStart);
  life.exits(exited(0));
  EXPECT_EQ(life.at(), "failed");
  EXPECT_EQ(life.result(), "protocol");
  EXPECT_EQ(life.lines[1], "Mount process finished, but there is no mount.");
}

TEST(MountMachine, AMountThatIsTakenBackBeforeTheEndIsNone) {
  Life life;
  life.feed(Kind::kStart);
  life.appears();
  life.goes();
  EXPECT_EQ(life.at(), "mounting");
  life.exits(exited(1));
  EXPECT_EQ(life.at(), "failed");
}

TEST(MountMachine, WithoutACommandThereIsNoMount) {
  Life life;
  life.spawn_works = false;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.at(), "failed");
  EXPECT_EQ(life.result(), "resources");
  EXPECT_EQ(life.lines[0], "Failed to run 'mount' task");
}

TEST(MountMachine, FollowsWhatOthersMountAndUnmount) {
  Life life;
  life.appears();
  EXPECT_EQ(life.at(), "mounted");
  life.goes();
  EXPECT_EQ(life.at(), "dead");
  life.feed(Kind::kStartRefused);
  EXPECT_EQ(life.at(), "failed");
  EXPECT_EQ(life.result(), "start-limit-hit");
  life.appears();
  EXPECT_EQ(life.at(), "mounted");
  EXPECT_EQ(life.result(), "success");
}

TEST(MountMachine, ReloadTellsOfItsOwnResultAlone) {
  Life life;
  life.mount();
  life.feed(Kind::kReload);
  EXPECT_EQ(life.at(), "remounting");
  life.exits(exited(32));
  EXPECT_EQ(life.at(), "mounted");
  EXPECT_EQ(life.result(), "success");
  EXPECT_EQ(to_string(life.state.reload_result), "exit-code");
  life.spawn_works = false;
  life.feed(Kind::kReload);
  EXPECT_EQ(life.at(), "mounted");
  EXPECT_EQ(to_string(life.state.reload_result), "resources");
}

TEST(MountMachine, WhatCannotBeUnmountedStaysMounted) {
  Life life;
  life.mount();
  life.feed(Kind::kStop);
  life.exits(exited(32));
  EXPECT_EQ(life.at(), "mounted");
  EXPECT_EQ(life.result(), "exit-code");
}

TEST(MountMachine, WhatSomebodyElseUnmountedFirstIsUnmounted) {
  Life life;
  life.mount();
  life.feed(Kind::kStop);
  life.goes();
  life.exits(exited(32));
  EXPECT_EQ(life.at(), "dead");
}

TEST(MountMachine, TakesAwayMountsOnTopOfEachOther) {
  Life life;
  life.mount();
  life.story.clear();
  life.feed(Kind::kStop);
  life.exits(exited(0));
  EXPECT_EQ(life.at(), "unmounting");
  life.goes();
  life.exits(exited(0));
  EXPECT_THAT(life.story, ElementsAre("umount", "=unmounting", "umount", "=dead"));

  life.mount();
  life.feed(Kind::kStop);
  for (int i = 0; i < 32; ++i) life.exits(exited(0));
  EXPECT_EQ(life.at(), "mounted");
  EXPECT_EQ(life.lines.back(), "Mount still present after 32 attempts to unmount, giving up.");
}

TEST(MountMachine, WhatTakesTooLongIsTerminatedThenKilled) {
  Life life;
  life.feed(Kind::kStart);
  life.feed(Kind::kTimeout);
  EXPECT_EQ(life.at(), "unmounting-sigterm");
  life.feed(Kind::kTimeout);
  EXPECT_EQ(life.at(), "unmounting-sigkill");
  life.feed(Kind::kTimeout);
  EXPECT_EQ(life.at(), "failed");
  EXPECT_EQ(life.result(), "timeout");
  EXPECT_THAT(life.lines,
              ElementsAre("Mounting timed out. Terminating.", "Mount process timed out. Killing.",
                          "Mount process still around after SIGKILL. Ignoring.",
                          "Failed with result 'timeout'."));
}

TEST(MountMachine, ARemountThatTakesTooLongLeavesTheMount) {
  Life life;
  life.mount();
  life.feed(Kind::kReload);
  life.feed(Kind::kTimeout);
  EXPECT_EQ(life.at(), "remounting-sigterm");
  life.exits(killed(SIGTERM));
  EXPECT_EQ(life.at(), "mounted");
  EXPECT_EQ(life.result(), "success");
  EXPECT_NE(to_string(life.state.reload_result), "success");
}

TEST(MountMachine, AStopDoesNotWaitForTheMount) {
  Life life;
  life.feed(Kind::kStart);
  life.feed(Kind::kStop);
  EXPECT_EQ(life.at(), "unmounting-sigterm");
  life.exits(killed(SIGTERM));
  EXPECT_EQ(life.at(), "failed");
  EXPECT_EQ(life.result(), "signal");
  life.kill_reaches = false;
  life.feed(Kind::kStart);
  life.feed(Kind::kStop);
  EXPECT_EQ(life.at(), "dead");
}

TEST(MountMachine, EveryEventIsHarmlessInEveryState) {
  for (int sub = 0; sub <= static_cast<int>(Sub::kLast); ++sub) {
    for (int kind = 0; kind < static_cast<int>(Kind::kCount); ++kind) {
      for (const bool is_mounted : {false, true}) {
        Life life;
        life.state.sub = static_cast<Sub>(sub);
        life.state.control_pid = active_state_of(life.state.sub) == ActiveState::kActive ? 0 : 100;
        life.is_mounted = is_mounted;
        ServiceEvent event = ServiceEvent::of(static_cast<Kind>(kind));
        event.exit = exited(0);
        life.feed(event);
      }
    }
  }
}

}  // namespace
}  // namespace flotilla::init
