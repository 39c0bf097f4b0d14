#include "init/restart_policy.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

namespace flotilla::init {
namespace {

using Result = ServiceResult;

TEST(RestartPolicy, FollowsTheTableOfTheManual) {
  // Columns: no, on-success, on-failure, on-abnormal, on-watchdog, on-abort, always.
  const struct {
    Result result;
    bool yes[7];
  } rows[] = {
      {Result::kSuccess, {false, true, false, false, false, false, true}},
      {Result::kExitCode, {false, false, true, false, false, false, true}},
      {Result::kSignal, {false, false, true, true, false, true, true}},
      {Result::kCoreDump, {false, false, true, true, false, true, true}},
      {Result::kTimeout, {false, false, true, true, false, false, true}},
      {Result::kWatchdog, {false, false, true, true, true, false, true}},
      {Result::kExecCondition, {false, false, false, false, false, false, false}},
  };
  for (const auto& row : rows) {
    for (size_t i = 0; i < 7; ++i) {
      ServiceSettings settings;
      settings.restart = static_cast<RestartSetting>(i);
      EXPECT_EQ(is_yes(decide_restart(settings, row.result, {}, false)), row.yes[i])
          << to_string(row.result) << " with Restart= number " << i;
    }
  }
}

TEST(RestartPolicy, ExitStatusesOverrideTheSetting) {
  ServiceSettings settings;
  settings.extras.edit().restart_force.statuses = {4};
  EXPECT_EQ(decide_restart(settings, Result::kExitCode, {CLD_EXITED, 4}, false),
            RestartAnswer::kYesForced);
  settings.restart = RestartSetting::kAlways;
  settings.extras.edit().restart_prevent.statuses = {4};
  settings.extras.edit().restart_prevent.signals = {SIGUSR1};
  EXPECT_EQ(decide_restart(settings, Result::kExitCode, {CLD_EXITED, 4}, false),
            RestartAnswer::kNoPrevented);
  EXPECT_EQ(decide_restart(settings, Result::kSignal, {CLD_KILLED, SIGUSR1}, false),
            RestartAnswer::kNoPrevented);
  EXPECT_EQ(decide_restart(settings, Result::kSignal, {CLD_KILLED, 4}, false),
            RestartAnswer::kYesSetting);
}

TEST(RestartPolicy, NothingOverridesAManualStop) {
  ServiceSettings settings;
  settings.restart = RestartSetting::kAlways;
  settings.extras.edit().restart_force.statuses = {4};
  EXPECT_EQ(decide_restart(settings, Result::kExitCode, {CLD_EXITED, 4}, true),
            RestartAnswer::kNoManualStop);
}

TEST(RestartPolicy, CleanEndsOfDaemonsAndCommands) {
  const ExitStatusSet none;
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) {
    EXPECT_EQ(result_of({CLD_KILLED, signal}, CleanEnd::kDaemon, none), Result::kSuccess);
    EXPECT_EQ(result_of({CLD_KILLED, signal}, CleanEnd::kCommand, none), Result::kSignal);
  }
  EXPECT_EQ(result_of({CLD_EXITED, 1}, CleanEnd::kDaemon, none), Result::kExitCode);
  EXPECT_EQ(result_of({CLD_DUMPED, SIGTERM}, CleanEnd::kDaemon, none), Result::kCoreDump);
}

TEST(RestartPolicy, SuccessExitStatusAddsToTheCleanOnes) {
  ExitStatusSet success;
  success.statuses = {75};
  success.signals = {SIGKILL};
  EXPECT_EQ(result_of({CLD_EXITED, 75}, CleanEnd::kCommand, success), Result::kSuccess);
  EXPECT_EQ(result_of({CLD_EXITED, 0}, CleanEnd::kCommand, success), Result::kSuccess);
  EXPECT_EQ(result_of({CLD_KILLED, SIGKILL}, CleanEnd::kCommand, success), Result::kSuccess);
  EXPECT_EQ(result_of({CLD_EXITED, 9}, CleanEnd::kCommand, success), Result::kExitCode);
}

}  // namespace
}  // namespace flotilla::init
