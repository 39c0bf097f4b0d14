// How services of each type start and run.
#include "init/service_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "init/service_machine_life.h"

namespace flotilla::init {
namespace {

using base::Micros;
using base::MonotonicTime;
using testing::ElementsAre;
using Kind = ServiceEvent::Kind;
using Sub = ServiceSubState;
using Result = ServiceResult;

TEST(ServiceMachine, SimpleRunsAtOnceAndStopsBySigterm) {
  Life life;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_THAT(life.story, ElementsAre("/main", "=running"));
  EXPECT_TRUE(life.state.timeout_at.is_never());
  life.stop();
  EXPECT_EQ(life.state.sub, Sub::kStopSigterm);
  EXPECT_EQ(life.state.timeout_at, life.now() + seconds(90));
  life.main_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.result, Result::kSuccess);
  EXPECT_EQ(life.state.main_pid, 0);
  EXPECT_THAT(life.states, ElementsAre(Sub::kRunning, Sub::kStopSigterm, Sub::kDead));
  EXPECT_TRUE(life.state.timeout_at.is_never());
  EXPECT_EQ(life.lines.back(), "Deactivated successfully.");
}

TEST(ServiceMachine, MainExitDecidesTheResult) {
  const struct {
    ProcessExit exit;
    Sub sub;
    Result result;
  } rows[] = {
      {exited(0), Sub::kDead, Result::kSuccess},
      {exited(4), Sub::kFailed, Result::kExitCode},
      {killed(SIGKILL), Sub::kFailed, Result::kSignal},
      {killed(SIGHUP), Sub::kDead, Result::kSuccess},
      {killed(SIGINT), Sub::kDead, Result::kSuccess},
      {killed(SIGTERM), Sub::kDead, Result::kSuccess},
      {killed(SIGPIPE), Sub::kDead, Result::kSuccess},
      {killed(SIGUSR1), Sub::kFailed, Result::kSignal},
      {{CLD_DUMPED, SIGABRT}, Sub::kFailed, Result::kCoreDump},
  };
  for (const auto& row : rows) {
    Life life;
    life.feed(Kind::kStart);
    life.main_exits(row.exit);
    EXPECT_EQ(life.state.sub, row.sub) << row.exit.status;
    EXPECT_EQ(life.state.result, row.result) << row.exit.status;
    EXPECT_EQ(life.state.main_exit, row.exit);
  }
}

TEST(ServiceMachine, SaysHowTheMainProcessEnded) {
  Life life;
  life.feed(Kind::kStart);
  life.main_exits(exited(1));
  EXPECT_THAT(life.lines, ElementsAre("Main process exited, code=exited, status=1/FAILURE",
                                      "Failed with result 'exit-code'."));
}

TEST(ServiceMachine, RemainAfterExitStaysButHidesNoFailure) {
  Life good;
  good.settings.remain_after_exit = true;
  good.feed(Kind::kStart);
  good.main_exits(exited(0));
  EXPECT_EQ(good.state.sub, Sub::kExited);
  Life bad;
  bad.settings.remain_after_exit = true;
  bad.feed(Kind::kStart);
  bad.main_exits(exited(4));
  EXPECT_EQ(bad.state.sub, Sub::kFailed);
}

TEST(ServiceMachine, DashMakesEveryEndOfMainASuccess) {
  Life life;
  life.commands(ServiceCommand::kStart)[0].ignore_failure = true;
  life.feed(Kind::kStart);
  life.main_exits(exited(9));
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.result, Result::kSuccess);
  EXPECT_EQ(life.state.main_exit, exited(9));
}

TEST(ServiceMachine, ExecIsActiveOnceTheProgramRuns) {
  Life life;
  life.settings.type = ServiceType::kExec;
  life.feed(Kind::kStart);
  EXPECT_THAT(life.states, ElementsAre(Sub::kStart, Sub::kRunning));
}

TEST(ServiceMachine, ExecFailsToStartWithTheStatusOfTheFailedStep) {
  Life life;
  life.settings.type = ServiceType::kExec;
  life.exec_works = false;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kStart);
  life.main_exits(exited(203));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_EQ(life.lines[0], "Main process exited, code=exited, status=203/EXEC");
  for (const Sub sub : life.states) EXPECT_NE(active_state_of(sub), ActiveState::kActive);
}

TEST(ServiceMachine, SimpleWithFailedSetUpStartsAndThenFails) {
  Life life;
  life.exec_works = false;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.main_exits(exited(203));
  EXPECT_EQ(life.state.result, Result::kExitCode);
}

TEST(ServiceMachine, DoesNotRunBesideWhatMustNotBeKilled) {
  const auto start = [](Life& life) {
    life.others = 2;
    life.kill.send_sigkill = false;
    life.feed(Kind::kStart);
  };
  for (const ServiceCommand first : {ServiceCommand::kCondition, ServiceCommand::kStartPre}) {
    Life life;
    life.commands(first) = {command("/first")};
    start(life);
    EXPECT_EQ(life.state.sub, Sub::kFailed);
    EXPECT_EQ(life.state.result, Result::kResources);
  }
  Life plain;
  start(plain);
  EXPECT_EQ(plain.state.sub, Sub::kStopSigterm);
  EXPECT_EQ(plain.state.result, Result::kResources);
  Life alone;
  alone.kill.mode = KillMode::kProcess;
  start(alone);
  EXPECT_EQ(alone.state.sub, Sub::kRunning);
}

TEST(ServiceMachine, FailedSpawnIsResources) {
  Life life;
  life.spawn_works = false;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kResources);
  EXPECT_THAT(life.lines,
              ElementsAre("Failed to run 'start' task", "Failed with result 'resources'."));
}

TEST(ServiceMachine, FailedSpawnRunsNoStopPostEither) {
  Life life;
  life.commands(ServiceCommand::kStartPre) = {command("/pre")};
  life.commands(ServiceCommand::kStopPost) = {command("/post")};
  life.spawn_works = false;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_THAT(life.story, ElementsAre("/pre", "=failed", "release"));
}

TEST(ServiceMachine, CommandsRunInTheirOrder) {
  Life life;
  life.settings.type = ServiceType::kOneshot;
  life.settings.remain_after_exit = true;
  life.commands(ServiceCommand::kCondition) = {command("/cond")};
  life.commands(ServiceCommand::kStartPre) = {command("/pre1"), command("/pre2")};
  life.commands(ServiceCommand::kStart) = {command("/one"), command("/two")};
  life.commands(ServiceCommand::kStartPost) = {command("/post")};
  life.commands(ServiceCommand::kStop) = {command("/stop1"), command("/stop2")};
  life.commands(ServiceCommand::kStopPost) = {command("/stoppost")};
  life.feed(Kind::kStart);
  life.control_exits(exited(0));
  life.control_exits(exited(0));
  life.control_exits(exited(0));
  life.main_exits(exited(0));
  life.main_exits(exited(0));
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kExited);
  EXPECT_THAT(life.story, ElementsAre("/cond", "=condition", "/pre1", "=start-pre", "/pre2", "/one",
                                      "=start", "/two", "/post", "=start-post", "=exited"));
  life.story.clear();
  life.stop();
  life.control_exits(exited(0));
  life.control_exits(exited(0));
  life.control_exits(exited(0));
  EXPECT_THAT(life.story, ElementsAre("/stop1", "=stop", "/stop2", "/stoppost", "=stop-post",
                                      "=dead", "release"));
}

TEST(ServiceMachine, OneshotWithoutRemainAfterExitRunsItsStopCommands) {
  Life life;
  life.settings.type = ServiceType::kOneshot;
  life.commands(ServiceCommand::kStop) = {command("/stop")};
  life.commands(ServiceCommand::kStopPost) = {command("/post")};
  life.feed(Kind::kStart);
  EXPECT_EQ(life.active(), ActiveState::kActivating);
  life.main_exits(exited(0));
  life.control_exits(exited(0));
  life.control_exits(exited(0));
  EXPECT_THAT(life.story, ElementsAre("/main", "=start", "/stop", "=stop", "/post", "=stop-post",
                                      "=dead", "release"));
}

TEST(ServiceMachine, OneshotDashGoesOnAndFailureEndsTheSequence) {
  Life life;
  life.settings.type = ServiceType::kOneshot;
  life.commands(ServiceCommand::kStart) = {command("/one"), command("/two"), command("/three")};
  life.commands(ServiceCommand::kStart)[1].ignore_failure = true;
  life.feed(Kind::kStart);
  life.main_exits(exited(0));
  life.main_exits(exited(9));
  life.main_exits(exited(3));
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
}

TEST(ServiceMachine, StoppingARunningOneshotFailsIt) {
  Life life;
  life.settings.type = ServiceType::kOneshot;
  life.feed(Kind::kStart);
  life.stop();
  life.main_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kSignal);
}

TEST(ServiceMachine, OneshotWithStopCommandsAloneIsExited) {
  Life life;
  life.settings.type = ServiceType::kOneshot;
  life.settings.remain_after_exit = true;
  life.commands(ServiceCommand::kStart).clear();
  life.commands(ServiceCommand::kStop) = {command("/stop")};
  life.feed(Kind::kStart);
  EXPECT_THAT(life.states, ElementsAre(Sub::kStart, Sub::kExited));
}

TEST(ServiceMachine, ExecConditionSkipsWithoutFailingAndStopPostStillRuns) {
  Life life;
  life.commands(ServiceCommand::kCondition) = {command("/cond")};
  life.commands(ServiceCommand::kStopPost) = {command("/post")};
  life.feed(Kind::kStart);
  life.control_exits(exited(1));
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.result, Result::kExecCondition);
  EXPECT_TRUE(life.state.condition_failed);
  EXPECT_EQ(life.lines.back(), "Skipped due to 'exec-condition'.");
  EXPECT_THAT(life.story,
              ElementsAre("/cond", "=condition", "/post", "=stop-post", "=dead", "release"));
}

TEST(ServiceMachine, ExecCondition255AndSignalsFail) {
  for (const ProcessExit exit : {exited(255), killed(SIGKILL)}) {
    Life life;
    life.commands(ServiceCommand::kCondition) = {command("/cond")};
    life.feed(Kind::kStart);
    life.control_exits(exit);
    EXPECT_EQ(life.state.sub, Sub::kFailed);
  }
}

TEST(ServiceMachine, FailingStartPreFailsUnlessDashed) {
  Life life;
  life.commands(ServiceCommand::kStartPre) = {command("/pre")};
  life.feed(Kind::kStart);
  life.control_exits(killed(SIGKILL));
  EXPECT_EQ(life.state.result, Result::kSignal);
  Life dashed;
  dashed.commands(ServiceCommand::kStartPre) = {command("/pre")};
  dashed.commands(ServiceCommand::kStartPre)[0].ignore_failure = true;
  dashed.feed(Kind::kStart);
  dashed.control_exits(exited(4));
  EXPECT_EQ(dashed.state.sub, Sub::kRunning);
}

TEST(ServiceMachine, FailingStartPostStopsMainWithoutExecStop) {
  Life life;
  life.commands(ServiceCommand::kStartPost) = {command("/post")};
  life.commands(ServiceCommand::kStop) = {command("/stop")};
  life.commands(ServiceCommand::kStopPost) = {command("/stoppost")};
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kStartPost);
  life.control_exits(exited(6));
  EXPECT_EQ(life.state.sub, Sub::kStopSigterm);
  life.main_exits(killed(SIGTERM));
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_THAT(life.story, ElementsAre("/main", "/post", "=start-post", "=stop-sigterm", "/stoppost",
                                      "=stop-post", "=failed", "release"));
}

TEST(ServiceMachine, StopCommandIsNotRunAfterOwnFailure) {
  Life life;
  life.commands(ServiceCommand::kStop) = {command("/stop")};
  life.commands(ServiceCommand::kStopPost) = {command("/post")};
  life.feed(Kind::kStart);
  life.main_exits(exited(2));
  life.control_exits(exited(0));
  EXPECT_THAT(life.story,
              ElementsAre("/main", "=running", "/post", "=stop-post", "=failed", "release"));
}

TEST(ServiceMachine, FailingStopPostMakesTheResult) {
  Life life;
  life.commands(ServiceCommand::kStopPost) = {command("/post"), command("/second")};
  life.feed(Kind::kStart);
  life.stop();
  life.main_exits(killed(SIGTERM));
  life.control_exits(exited(8));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_EQ(life.story.back(), "release");
  EXPECT_EQ(std::count(life.story.begin(), life.story.end(), "/second"), 0);
}

TEST(ServiceMachine, MainMayEndWhileTheStopCommandRuns) {
  Life life;
  life.commands(ServiceCommand::kStop) = {command("/stop")};
  life.feed(Kind::kStart);
  life.stop();
  EXPECT_EQ(life.state.sub, Sub::kStop);
  EXPECT_GT(life.state.main_pid, 0);
  life.main_exits(killed(SIGINT));
  EXPECT_EQ(life.state.sub, Sub::kStop);
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.result, Result::kSuccess);
}

TEST(ServiceMachine, ReloadFailsWithoutHarm) {
  Life life;
  life.commands(ServiceCommand::kReload) = {command("/reload"), command("/second")};
  life.feed(Kind::kStart);
  life.feed(Kind::kReload);
  EXPECT_EQ(life.active(), ActiveState::kReloading);
  life.control_exits(exited(5));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.result, Result::kSuccess);
  EXPECT_EQ(life.state.reload_result, Result::kExitCode);
}

TEST(ServiceMachine, ReloadTimesOutAndGoesOn) {
  Life life;
  life.commands(ServiceCommand::kReload) = {command("/reload")};
  life.feed(Kind::kStart);
  life.feed(Kind::kReload);
  life.pass(seconds(90));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.reload_result, Result::kTimeout);
  EXPECT_EQ(life.state.control_pid, 0);
  EXPECT_EQ(life.lines.back(), "Reload operation timed out. Killing reload process.");
}

TEST(ServiceMachine, DbusIsActiveWithItsName) {
  Life life;
  life.settings.type = ServiceType::kDbus;
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kStart);
  life.feed(Kind::kBusNameAcquired);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.feed(Kind::kBusNameLost);
  EXPECT_EQ(life.state.sub, Sub::kStopSigterm);
}

TEST(ServiceMachine, IdleCountsAsActiveFromItsFirstCommand) {
  Life life;
  life.settings.type = ServiceType::kIdle;
  life.commands(ServiceCommand::kStartPre) = {command("/pre")};
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kStartPre);
  EXPECT_EQ(life.active(), ActiveState::kActive);
}

}  // namespace
}  // namespace flotilla::init
