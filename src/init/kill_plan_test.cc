#include "init/kill_plan.h"

#include <gtest/gtest.h>

#include <csignal>

namespace flotilla::init {
namespace {

TEST(KillPlan, ControlGroupReachesEveryProcess) {
  const KillPlan plan = plan_kill({}, KillOperation::kTerminate, true, true);
  EXPECT_EQ(plan.signal, SIGTERM);
  EXPECT_TRUE(plan.main && plan.control && plan.others);
  EXPECT_FALSE(plan.hangup);
}

TEST(KillPlan, MixedTerminatesMainAloneAndKillsAll) {
  KillSettings settings;
  settings.mode = KillMode::kMixed;
  EXPECT_FALSE(plan_kill(settings, KillOperation::kTerminate, true, false).others);
  EXPECT_FALSE(plan_kill(settings, KillOperation::kWatchdog, true, false).others);
  const KillPlan kill = plan_kill(settings, KillOperation::kKill, true, false);
  EXPECT_TRUE(kill.others);
  EXPECT_EQ(kill.signal, SIGKILL);
}

TEST(KillPlan, ProcessNeverReachesTheOthers) {
  KillSettings settings;
  settings.mode = KillMode::kProcess;
  EXPECT_FALSE(plan_kill(settings, KillOperation::kKill, true, true).others);
  EXPECT_TRUE(plan_kill(settings, KillOperation::kKill, false, false).nothing());
}

TEST(KillPlan, NoneDoesNothing) {
  KillSettings settings;
  settings.mode = KillMode::kNone;
  for (const auto operation : {KillOperation::kTerminate, KillOperation::kRestart,
                               KillOperation::kKill, KillOperation::kWatchdog}) {
    EXPECT_TRUE(plan_kill(settings, operation, true, true).nothing());
  }
}

TEST(KillPlan, EachOperationHasItsSignal) {
  KillSettings settings;
  settings.kill_signal = SIGINT;
  settings.final_kill_signal = SIGQUIT;
  settings.watchdog_signal = SIGUSR1;
  EXPECT_EQ(plan_kill(settings, KillOperation::kTerminate, true, false).signal, SIGINT);
  EXPECT_EQ(plan_kill(settings, KillOperation::kRestart, true, false).signal, SIGINT);
  EXPECT_EQ(plan_kill(settings, KillOperation::kKill, true, false).signal, SIGQUIT);
  EXPECT_EQ(plan_kill(settings, KillOperation::kWatchdog, true, false).signal, SIGUSR1);
  settings.restart_kill_signal = SIGUSR2;
  EXPECT_EQ(plan_kill(settings, KillOperation::kRestart, true, false).signal, SIGUSR2);
}

TEST(KillPlan, HangupFollowsTerminationAlone) {
  KillSettings settings;
  settings.send_sighup = true;
  EXPECT_TRUE(plan_kill(settings, KillOperation::kTerminate, true, false).hangup);
  EXPECT_FALSE(plan_kill(settings, KillOperation::kKill, true, false).hangup);
  EXPECT_FALSE(plan_kill(settings, KillOperation::kWatchdog, true, false).hangup);
  settings.kill_signal = SIGHUP;
  EXPECT_FALSE(plan_kill(settings, KillOperation::kTerminate, true, false).hangup);
}

}  // namespace
}  // namespace flotilla::init
