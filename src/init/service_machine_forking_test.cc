// How services of Type=forking find their main process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "init/service_machine.h"
#include "init/service_machine_life.h"

namespace flotilla::init {
namespace {

using Kind = ServiceEvent::Kind;
using Sub = ServiceSubState;
using Result = ServiceResult;

Life forking_life() {
  Life life;
  life.settings.type = ServiceType::kForking;
  return life;
}

TEST(ServiceMachine, ForkingGuessesItsMainProcess) {
  Life life = forking_life();
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kStart);
  EXPECT_EQ(life.state.main_pid, 0);
  life.others = 1;
  life.guessed = 77;
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.main_pid, 77);
}

TEST(ServiceMachine, ForkingWithoutMainPidEndsWithItsLastProcess) {
  Life life = forking_life();
  life.settings.guess_main_pid = false;
  life.feed(Kind::kStart);
  life.others = 1;
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.sub, Sub::kDead);
}

TEST(ServiceMachine, ForkingParentFailureLeavesNoMainStatus) {
  Life life = forking_life();
  life.feed(Kind::kStart);
  life.control_exits(exited(3));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_EQ(life.state.main_exit, ProcessExit{});
}

TEST(ServiceMachine, ForkingWaitsForThePidFile) {
  Life life = forking_life();
  life.settings.extras.edit().pid_file = "/run/a.pid";
  life.settings.timeout_start = seconds(1);
  life.feed(Kind::kStart);
  life.others = 1;
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kStart);
  EXPECT_TRUE(life.state.waits_for_pid_file);
  Life late = life;
  life.pid_from_file = 55;
  life.feed(Kind::kPidFile);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.main_pid, 55);
  EXPECT_FALSE(life.state.waits_for_pid_file);
  late.pass(seconds(1));
  late.others = 0;
  late.feed(Kind::kProcessesGone);
  EXPECT_EQ(late.state.sub, Sub::kFailed);
  EXPECT_EQ(late.state.result, Result::kTimeout);
}

TEST(ServiceMachine, ForkingDaemonThatDiesWithoutItsPidFileTimesOut) {
  Life life = forking_life();
  life.settings.extras.edit().pid_file = "/run/a.pid";
  life.settings.timeout_start = seconds(5);
  life.feed(Kind::kStart);
  life.others = 1;
  life.control_exits(exited(0));
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.sub, Sub::kStart);
  life.pass(seconds(5));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kTimeout);
}

TEST(ServiceMachine, ForkingDaemonThatIsGoneWithItsParentIsAProtocolFailure) {
  Life life = forking_life();
  life.settings.extras.edit().pid_file = "/run/a.pid";
  life.feed(Kind::kStart);
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.result, Result::kProtocol);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
}

TEST(ServiceMachine, ForkingThatLosesItsNamedMainProcessGivesUpOnThePidFile) {
  Life life = forking_life();
  life.settings.extras.edit().pid_file = "/run/a.pid";
  life.feed(Kind::kStart);
  life.others = 1;
  life.control_exits(exited(0));
  life.feed(ServiceEvent::notify_main_pid(60, false));
  life.state.main_pid = 0;  // gone, unseen
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.result, Result::kProtocol);
  EXPECT_EQ(life.lines[1], "Daemon never wrote its PID file. Failing.");
}

TEST(ServiceMachine, ForkingFollowsThePidFileToANewProcess) {
  Life life = forking_life();
  life.settings.extras.edit().pid_file = "/run/a.pid";
  life.pid_from_file = 55;
  life.feed(Kind::kStart);
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.main_pid, 55);
  life.pid_from_file = 56;
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.main_pid, 56);
}

}  // namespace
}  // namespace flotilla::init
