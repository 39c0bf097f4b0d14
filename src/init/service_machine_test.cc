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

// --- notify ---

TEST(ServiceMachine, NotifyIsActiveAfterReady) {
  Life life = notify_life();
  life.commands(ServiceCommand::kStartPost) = {command("/post")};
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.sub, Sub::kStart);
  life.feed(Kind::kNotifyReady);
  EXPECT_EQ(life.state.sub, Sub::kStartPost);
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
}

TEST(ServiceMachine, NotifyNeverReadyTimesOut) {
  Life life = notify_life();
  life.settings.timeout_start = seconds(1);
  life.feed(Kind::kStart);
  life.pass(seconds(1));
  EXPECT_EQ(life.state.sub, Sub::kStopSigterm);
  life.main_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.result, Result::kTimeout);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.lines[0], "start operation timed out. Terminating.");
}

TEST(ServiceMachine, NotifyThatEndsBeforeReadyIsAProtocolFailure) {
  Life life = notify_life();
  life.feed(Kind::kStart);
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.result, Result::kProtocol);
  Life bad = notify_life();
  bad.feed(Kind::kStart);
  bad.main_exits(exited(2));
  EXPECT_EQ(bad.state.result, Result::kExitCode);
}

TEST(ServiceMachine, MainPidMovesAndTheOldOneMayEnd) {
  Life life = notify_life();
  life.feed(Kind::kStart);
  life.feed(ServiceEvent::notify_main_pid(4711, false));
  life.feed(Kind::kNotifyReady);
  EXPECT_EQ(life.state.main_pid, 4711);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.main_exits(exited(3));
  EXPECT_EQ(life.state.result, Result::kExitCode);
}

TEST(ServiceMachine, StoppingIsDeactivating) {
  Life life = notify_life();
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.feed(Kind::kNotifyStopping);
  EXPECT_EQ(life.state.sub, Sub::kStopSigterm);
  EXPECT_TRUE(life.signals.empty());
  EXPECT_EQ(life.state.timeout_at, life.now() + seconds(90));
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kDead);
}

TEST(ServiceMachine, ReloadingLastsUntilReady) {
  Life life = notify_life();
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.feed(Kind::kNotifyReloading);
  EXPECT_EQ(life.state.sub, Sub::kReload);
  life.feed(Kind::kNotifyReady);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_TRUE(life.state.timeout_at.is_never());
}

TEST(ServiceMachine, ExtendTimeoutPutsTheDeadlineOffNeverNearer) {
  Life life = notify_life();
  life.settings.timeout_start = seconds(10);
  life.feed(Kind::kStart);
  const MonotonicTime begin = life.now();
  life.feed(ServiceEvent::notify_span(Kind::kNotifyExtend, seconds(5)));
  EXPECT_EQ(life.state.timeout_at, begin + seconds(10));
  life.pass(seconds(9));
  life.feed(ServiceEvent::notify_span(Kind::kNotifyExtend, seconds(5)));
  EXPECT_EQ(life.state.timeout_at, begin + seconds(14));
}

TEST(ServiceMachine, WatchdogLivesOnPings) {
  Life life = notify_life();
  life.settings.watchdog = seconds(2);
  life.settings.timeout_abort = seconds(3);
  life.feed(Kind::kStart);
  life.pass(seconds(5));
  EXPECT_EQ(life.state.sub, Sub::kStart);
  life.feed(Kind::kNotifyReady);
  life.pass(seconds(1));
  life.feed(Kind::kNotifyWatchdog);
  life.pass(Micros(1'900'000));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.pass(Micros(100'000));
  EXPECT_EQ(life.state.sub, Sub::kStopWatchdog);
  EXPECT_THAT(life.signals, ElementsAre("6m"));
  EXPECT_EQ(life.lines.back(), "Watchdog timeout (limit 2s)!");
  life.pass(seconds(3));
  EXPECT_EQ(life.state.sub, Sub::kStopSigkill);
  EXPECT_EQ(life.lines.back(), "State 'stop-watchdog' timed out. Killing.");
  life.main_exits(killed(SIGKILL));
  EXPECT_EQ(life.state.result, Result::kWatchdog);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
}

TEST(ServiceMachine, WatchdogUsecChangesTheLimit) {
  Life life = notify_life();
  life.settings.watchdog = seconds(100);
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.feed(ServiceEvent::notify_span(Kind::kNotifyWatchdogUsec, Micros(700'000)));
  life.pass(Micros(700'000));
  EXPECT_EQ(life.state.sub, Sub::kStopWatchdog);
  EXPECT_EQ(life.lines.back(), "Watchdog timeout (limit 700ms)!");
}

TEST(ServiceMachine, WatchdogTriggerActsAtOnce) {
  Life life = notify_life();
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.feed(Kind::kNotifyTrigger);
  life.main_exits({CLD_DUMPED, SIGABRT});
  EXPECT_EQ(life.state.result, Result::kWatchdog);
}

// --- forking ---

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
  life.settings.pid_file = "/run/a.pid";
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
  life.settings.pid_file = "/run/a.pid";
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
  life.settings.pid_file = "/run/a.pid";
  life.feed(Kind::kStart);
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.result, Result::kProtocol);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
}

TEST(ServiceMachine, ForkingThatLosesItsNamedMainProcessGivesUpOnThePidFile) {
  Life life = forking_life();
  life.settings.pid_file = "/run/a.pid";
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
  life.settings.pid_file = "/run/a.pid";
  life.pid_from_file = 55;
  life.feed(Kind::kStart);
  life.control_exits(exited(0));
  EXPECT_EQ(life.state.main_pid, 55);
  life.pid_from_file = 56;
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.main_pid, 56);
}

// --- dbus, idle ---

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
