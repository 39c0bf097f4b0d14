// How services of Type=notify start and run, and the watchdog.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "init/service_machine.h"
#include "init/service_machine_life.h"

namespace flotilla::init {
namespace {

using base::Micros;
using base::MonotonicTime;
using testing::ElementsAre;
using Kind = ServiceEvent::Kind;
using Sub = ServiceSubState;
using Result = ServiceResult;

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

TEST(ServiceMachine, NotifyThatRemainsMayBeReadyByAnotherProcessAndNotByNobody) {
  Life life = notify_life();
  life.settings.remain_after_exit = true;
  life.settings.notify_access = NotifyAccess::kAll;
  life.feed(Kind::kStart);
  life.others = 1;
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kStart);
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.result, Result::kProtocol);
  life.feed(Kind::kStart);
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.result, Result::kProtocol);
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

TEST(ServiceMachine, WhoReloadsForTooLongGoesOnReloading) {
  Life life = notify_life();
  life.settings.timeout_start = seconds(10);
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.feed(Kind::kNotifyReloading);
  life.pass(seconds(11));
  EXPECT_EQ(life.state.sub, Sub::kReload);
  EXPECT_EQ(life.state.reload_result, Result::kTimeout);
  life.feed(Kind::kNotifyReady);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
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

}  // namespace
}  // namespace flotilla::init
