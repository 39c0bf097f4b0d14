// How services stop, time out and start again.
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

// The restart job as the job layer carries it out: its stop half, then its start half.
void run_restart_job(Life& life) {
  life.restart_job = true;
  life.feed(Kind::kStop);
  life.restart_job = false;
  life.feed(Kind::kStart);
}

// --- stopping ---

TEST(ServiceMachine, ChildThatIgnoresSigtermIsKilledAfterTheTimeout) {
  Life life;
  life.settings.timeout_stop = seconds(1);
  life.feed(Kind::kStart);
  life.others = 1;
  life.stop();
  life.main_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.sub, Sub::kFinalSigterm);
  life.pass(seconds(1));
  EXPECT_EQ(life.state.sub, Sub::kFinalSigkill);
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kTimeout);
  EXPECT_THAT(life.signals, ElementsAre("15mo", "15o", "9o"));
}

TEST(ServiceMachine, SendSigkillNoLeavesThemBehind) {
  Life life;
  life.settings.timeout_stop = seconds(1);
  life.kill.send_sigkill = false;
  life.feed(Kind::kStart);
  life.stop();
  life.pass(seconds(2));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kTimeout);
  EXPECT_THAT(life.lines, testing::Contains("State 'stop-sigterm' timed out. Skipping SIGKILL."));
  EXPECT_THAT(life.lines, testing::Contains(
                              "State 'final-sigterm' timed out. Skipping SIGKILL. Entering failed "
                              "mode."));
}

TEST(ServiceMachine, KillModeMixedKillsTheRestAtOnce) {
  Life life;
  life.kill.mode = KillMode::kMixed;
  life.feed(Kind::kStart);
  life.others = 1;
  life.stop();
  life.main_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.sub, Sub::kFinalSigkill);
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_THAT(life.signals, ElementsAre("15m", "9o"));
}

TEST(ServiceMachine, KillModeNoneIsDeadAtOnce) {
  Life life;
  life.kill.mode = KillMode::kNone;
  life.feed(Kind::kStart);
  life.others = 1;
  life.stop();
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.main_pid, 0);
  EXPECT_TRUE(life.signals.empty());
}

TEST(ServiceMachine, KillSignalThatKillsIsAFailure) {
  Life life;
  life.kill.kill_signal = SIGUSR1;
  life.feed(Kind::kStart);
  life.stop();
  life.main_exits(killed(SIGUSR1));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kSignal);
}

TEST(ServiceMachine, RestartJobUsesItsOwnSignal) {
  Life life;
  life.kill.restart_kill_signal = SIGUSR2;
  life.feed(Kind::kStart);
  life.restart_job = true;
  life.feed(Kind::kStop);
  EXPECT_THAT(life.signals, ElementsAre("12m"));
}

TEST(ServiceMachine, StartTimeoutWithFailureModeKill) {
  Life life = notify_life();
  life.settings.timeout_start = seconds(1);
  life.settings.timeout_start_failure_mode = TimeoutFailureMode::kKill;
  life.feed(Kind::kStart);
  life.pass(seconds(1));
  EXPECT_EQ(life.state.sub, Sub::kStopSigkill);
  EXPECT_THAT(life.signals, ElementsAre("9m"));
  life.main_exits(killed(SIGKILL));
  EXPECT_EQ(life.state.result, Result::kTimeout);
}

TEST(ServiceMachine, StopTimeoutWithFailureModeAbort) {
  Life life;
  life.settings.timeout_stop = seconds(1);
  life.settings.timeout_abort = seconds(5);
  life.settings.timeout_stop_failure_mode = TimeoutFailureMode::kAbort;
  life.feed(Kind::kStart);
  life.stop();
  life.pass(seconds(1));
  EXPECT_EQ(life.state.sub, Sub::kStopWatchdog);
  EXPECT_EQ(life.lines.back(), "State 'stop-sigterm' timed out. Aborting.");
  EXPECT_EQ(life.state.timeout_at, life.now() + seconds(5));
}

TEST(ServiceMachine, WhatSurvivesSigkillIsGivenUp) {
  Life life;
  life.settings.timeout_stop = seconds(1);
  life.feed(Kind::kStart);
  life.stop();
  life.pass(seconds(60));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_THAT(life.lines, testing::Contains("Processes still around after SIGKILL. Ignoring."));
  EXPECT_THAT(life.lines, testing::Contains(
                              "Processes still around after final SIGKILL. Entering failed mode."));
}

TEST(ServiceMachine, RuntimeMaxCountsFromActivation) {
  Life life;
  life.settings.runtime_max = seconds(10);
  life.commands(ServiceCommand::kReload) = {command("/reload")};
  life.feed(Kind::kStart);
  life.pass(seconds(6));
  life.feed(Kind::kReload);
  life.control_exits(exited(0));
  life.pass(seconds(4));
  EXPECT_EQ(life.state.sub, Sub::kStopSigterm);
  EXPECT_EQ(life.state.result, Result::kTimeout);
  EXPECT_EQ(life.lines.back(), "Service reached runtime time limit. Stopping.");
}

TEST(ServiceMachine, OutOfMemoryStopsIt) {
  Life life;
  life.feed(Kind::kStart);
  life.feed(Kind::kOutOfMemory);
  life.main_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.result, Result::kOomKill);
}

TEST(ServiceMachine, OutOfMemoryDoesWhatThePolicySays) {
  Life goes_on;
  goes_on.settings.oom_policy = OomPolicy::kContinue;
  goes_on.feed(Kind::kStart);
  goes_on.feed(Kind::kOutOfMemory);
  EXPECT_EQ(goes_on.state.sub, Sub::kRunning);
  EXPECT_EQ(goes_on.state.result, Result::kSuccess);

  Life killed_at_once;
  killed_at_once.settings.oom_policy = OomPolicy::kKill;
  killed_at_once.feed(Kind::kStart);
  killed_at_once.feed(Kind::kOutOfMemory);
  EXPECT_EQ(killed_at_once.state.sub, Sub::kStopSigkill);
  killed_at_once.main_exits(killed(SIGKILL));
  EXPECT_EQ(killed_at_once.state.result, Result::kOomKill);
}

TEST(ServiceMachine, ASignalIsNoCleanEndOfACommandThatPreparesTheStart) {
  Life life;
  life.commands(ServiceCommand::kStartPre) = {command("/pre")};
  life.feed(Kind::kStart);
  life.stop();
  life.control_exits(killed(SIGTERM));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kSignal);
}

TEST(ServiceMachine, WhoFeedsTheWatchdogWhileItStopsMustGoOn) {
  Life life = notify_life();
  life.settings.watchdog = seconds(1);
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.stop();
  life.feed(Kind::kNotifyWatchdog);
  life.pass(seconds(1));
  EXPECT_EQ(life.state.sub, Sub::kStopWatchdog);
  EXPECT_EQ(life.state.result, Result::kWatchdog);
}

TEST(ServiceMachine, WithExitTypeCgroupItLivesAsLongAsAnyProcess) {
  Life life;
  life.settings.exit_type = ExitType::kCgroup;
  life.feed(Kind::kStart);
  life.others = 1;
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.others = 0;
  life.feed(Kind::kProcessesGone);
  EXPECT_EQ(life.state.sub, Sub::kDead);

  Life failing;
  failing.settings.exit_type = ExitType::kCgroup;
  failing.feed(Kind::kStart);
  failing.others = 1;
  failing.main_exits(exited(3));
  EXPECT_EQ(failing.state.sub, Sub::kRunning);
  failing.others = 0;
  failing.feed(Kind::kProcessesGone);
  EXPECT_EQ(failing.state.sub, Sub::kFailed);
  EXPECT_EQ(failing.state.result, Result::kExitCode);
}

TEST(ServiceMachine, RuntimeLimitTakesWhatWasDrawn) {
  Life life;
  life.settings.runtime_max = seconds(10);
  life.runtime_extra = seconds(3);
  life.feed(Kind::kStart);
  life.pass(Micros(12'999'999));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  life.pass(Micros(1));
  EXPECT_EQ(life.state.result, Result::kTimeout);
}

// --- reloading by signal ---

Life reloadable() {
  Life life = notify_life();
  life.settings.type = ServiceType::kNotifyReload;
  life.feed(Kind::kStart);
  life.feed(Kind::kNotifyReady);
  life.feed(Kind::kReload);
  EXPECT_EQ(life.state.sub, Sub::kReloadSignal);
  return life;
}
ServiceEvent said_at(Kind kind, Micros when, bool with_reloading = false) {
  ServiceEvent event = ServiceEvent::notify_span(kind, when);
  event.flag = with_reloading;
  return event;
}

TEST(ServiceMachine, NotifyReloadWaitsForReloadingAndReady) {
  Life life = reloadable();
  EXPECT_EQ(life.reload_signals, 1);
  life.feed(said_at(Kind::kNotifyReloading, life.now().since_epoch));
  EXPECT_EQ(life.state.sub, Sub::kReloadNotify);
  EXPECT_EQ(life.active(), ActiveState::kReloading);
  life.feed(Kind::kNotifyReady);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
}

TEST(ServiceMachine, NotifyReloadHearsNothingFromBeforeTheSignal) {
  Life life = reloadable();
  life.feed(said_at(Kind::kNotifyReloading, life.now().since_epoch - Micros(1)));
  life.feed(Kind::kNotifyReloading);  // without MONOTONIC_USEC=
  life.feed(Kind::kNotifyReady);
  EXPECT_EQ(life.state.sub, Sub::kReloadSignal);
  life.feed(said_at(Kind::kNotifyReady, life.now().since_epoch, true));
  EXPECT_EQ(life.state.sub, Sub::kRunning);
}

TEST(ServiceMachine, NotifyReloadTimesOutAndRunsOn) {
  Life life = reloadable();
  life.pass(life.settings.timeout_start);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.reload_result, Result::kTimeout);
}

// --- restarting ---

TEST(ServiceMachine, RestartsAfterRestartSecAndCounts) {
  Life life;
  life.settings.restart = RestartSetting::kAlways;
  life.settings.restart_sec = seconds(1);
  life.feed(Kind::kStart);
  life.main_exits(exited(3));
  EXPECT_THAT(life.states, ElementsAre(Sub::kRunning, Sub::kFailed, Sub::kAutoRestart));
  EXPECT_TRUE(life.said_auto_restart);
  EXPECT_EQ(life.state.n_restarts, 0U);
  life.pass(Micros(999'999));
  EXPECT_EQ(life.restarts_asked, 0);
  life.pass(Micros(1));
  EXPECT_EQ(life.restarts_asked, 1);
  EXPECT_EQ(life.state.sub, Sub::kAutoRestart);
  EXPECT_EQ(life.lines.back(), "Scheduled restart job, restart counter is at 1.");
  run_restart_job(life);
  EXPECT_EQ(life.state.sub, Sub::kRunning);
  EXPECT_EQ(life.state.n_restarts, 1U);
  EXPECT_EQ(life.state.result, Result::kSuccess);
}

TEST(ServiceMachine, StopDuringAutoRestartKeepsTheResult) {
  Life life;
  life.settings.restart = RestartSetting::kAlways;
  life.settings.restart_sec = seconds(100);
  life.feed(Kind::kStart);
  life.main_exits(exited(3));
  EXPECT_EQ(answer_to_start(life.state.sub), StartAnswer::kLater);
  life.stop();
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_TRUE(life.state.timeout_at.is_never());
}

TEST(ServiceMachine, AStopWaitingInTheQueueForbidsTheRestart) {
  Life life;
  life.settings.restart = RestartSetting::kAlways;
  life.feed(Kind::kStart);
  life.stop_job = true;
  life.main_exits(exited(1));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
}

TEST(ServiceMachine, AStoppedServiceDoesNotRestart) {
  Life life;
  life.settings.restart = RestartSetting::kAlways;
  life.feed(Kind::kStart);
  life.stop();
  life.main_exits(killed(SIGKILL));
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.restarts_asked, 0);
}

TEST(ServiceMachine, StartLimitEndsARowOfRestartsAndKeepsTheResult) {
  Life life;
  life.settings.restart = RestartSetting::kAlways;
  life.settings.restart_sec = Micros(0);
  life.feed(Kind::kStart);
  for (int run = 1; run < 5; ++run) {
    life.main_exits(exited(1));
    life.pass(Micros(1));
    run_restart_job(life);
  }
  life.main_exits(exited(1));
  life.pass(Micros(1));
  life.feed(Kind::kStop);
  life.feed(Kind::kStartRefused);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kExitCode);
  EXPECT_EQ(life.state.n_restarts, 5U);
  EXPECT_THAT(life.lines, testing::Contains("Start request repeated too quickly."));
}

TEST(ServiceMachine, StartLimitOfAHealthyUnitIsTheResult) {
  Life life;
  life.feed(Kind::kStartRefused);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kStartLimitHit);
  life.feed(Kind::kResetFailed);
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.result, Result::kSuccess);
}

TEST(ServiceMachine, ARefusedRestartJobFailsIt) {
  Life life;
  life.settings.restart = RestartSetting::kAlways;
  life.feed(Kind::kStart);
  life.main_exits(exited(0));
  life.pass(seconds(1));
  life.feed(Kind::kRestartFailed);
  EXPECT_EQ(life.state.sub, Sub::kFailed);
  EXPECT_EQ(life.state.result, Result::kResources);
  EXPECT_EQ(life.state.n_restarts, 0U);
}

TEST(ServiceMachine, TheCounterStartsAnewWithAManualStart) {
  Life life;
  life.settings.restart = RestartSetting::kOnFailure;
  life.feed(Kind::kStart);
  life.main_exits(exited(1));
  life.pass(seconds(1));
  run_restart_job(life);
  life.main_exits(exited(0));
  EXPECT_EQ(life.state.sub, Sub::kDead);
  EXPECT_EQ(life.state.n_restarts, 1U);
  life.feed(Kind::kStart);
  EXPECT_EQ(life.state.n_restarts, 0U);
}

}  // namespace
}  // namespace flotilla::init
