// The stock systemctl of the distribution against the façade: what it prints and its exit codes.

#include <gmock/gmock.h>

#include "init/bus_test_world.h"

namespace flotilla::init {
namespace {

using testing::HasSubstr;
using testing::Not;

class StockSystemctl : public testing::Test {
 protected:
  void SetUp() override {
    if (::access("/usr/bin/systemctl", X_OK) != 0) {
      GTEST_SKIP() << "systemctl is not installed (package systemd)";
    }
    world_.add_service("a.service");
    world_.add_service("bad.service");
    world_.spawner().fail_path("/bin/false", SpawnStage::kExec, ENOENT);
    world_.add_unit("bad.service",
                    "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/false\n"
                    "Type=exec\nLimitNOFILE=1234\n");
    world_.serve();
  }

  BusTestWorld world_;
};

TEST_F(StockSystemctl, StartsShowsAndStopsAService) {
  CommandOutcome outcome = world_.systemctl({"is-active", "a.service"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
  EXPECT_EQ(outcome.output, "inactive\n");

  outcome = world_.systemctl({"start", "a.service"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");

  outcome = world_.systemctl({"is-active", "a.service"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.output, "active\n");

  outcome = world_.systemctl({"list-units"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output,
              testing::ContainsRegex("a.service +loaded active running +The a.service"));

  outcome = world_.systemctl({"status", "a.service"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("a.service - The a.service"));
  EXPECT_THAT(outcome.output, HasSubstr("Active: active (running) since "));
  EXPECT_THAT(outcome.output, HasSubstr("Main PID: 1000"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("Failed")));
  EXPECT_THAT(outcome.output, Not(HasSubstr("Warning")));

  outcome = world_.systemctl({"stop", "a.service"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = world_.systemctl({"is-active", "a.service"});
  EXPECT_EQ(outcome.output, "inactive\n");
}

TEST_F(StockSystemctl, RestartGivesANewProcess) {
  ASSERT_EQ(world_.systemctl({"start", "a.service"}).exit_code, 0);
  const std::string before = world_.systemctl({"show", "-p", "MainPID", "a.service"}).output;
  EXPECT_EQ(world_.systemctl({"restart", "a.service"}).exit_code, 0);
  const std::string after = world_.systemctl({"show", "-p", "MainPID", "a.service"}).output;
  EXPECT_THAT(after, HasSubstr("MainPID="));
  EXPECT_NE(after, before);
}

TEST_F(StockSystemctl, KilledServiceIsFailedUntilReset) {
  ASSERT_EQ(world_.systemctl({"start", "a.service"}).exit_code, 0);
  EXPECT_EQ(world_.systemctl({"kill", "--signal=SIGKILL", "a.service"}).exit_code, 0);
  CommandOutcome outcome = world_.systemctl({"is-failed", "a.service"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.output, "failed\n");
  outcome = world_.systemctl({"show", "-p", "Result", "-p", "ExecMainStatus", "a.service"});
  EXPECT_THAT(outcome.output, HasSubstr("Result=signal"));
  EXPECT_THAT(outcome.output, HasSubstr("ExecMainStatus=9"));
  EXPECT_EQ(world_.systemctl({"reset-failed", "a.service"}).exit_code, 0);
  EXPECT_EQ(world_.systemctl({"is-failed", "a.service"}).output, "inactive\n");
}

TEST_F(StockSystemctl, AStartThatFailsSaysWhy) {
  const CommandOutcome outcome = world_.systemctl({"start", "bad.service"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("Job for bad.service failed because"));
  const CommandOutcome shown =
      world_.systemctl({"show", "-p", "ActiveState,LimitNOFILE,ExecMainStatus", "bad.service"});
  EXPECT_THAT(shown.output, HasSubstr("ActiveState=failed"));
  EXPECT_THAT(shown.output, HasSubstr("LimitNOFILE=1234"));
  EXPECT_THAT(shown.output, HasSubstr("ExecMainStatus=203"));
}

TEST_F(StockSystemctl, MissingUnitsGiveSystemdsExitCodes) {
  CommandOutcome outcome = world_.systemctl({"start", "nowhere.service"});
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_EQ(outcome.output, "Failed to start nowhere.service: Unit nowhere.service not found.\n");
  outcome = world_.systemctl({"stop", "nowhere.service"});
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_EQ(outcome.output, "Failed to stop nowhere.service: Unit nowhere.service not loaded.\n");
  outcome = world_.systemctl({"status", "nowhere.service"});
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_EQ(outcome.output, "Unit nowhere.service could not be found.\n");
  EXPECT_EQ(world_.systemctl({"is-active", "nowhere.service"}).exit_code, 3);
  ASSERT_EQ(world_.systemctl({"start", "a.service"}).exit_code, 0);
  outcome = world_.systemctl({"reload", "a.service"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.output,
            "Failed to reload a.service: Job type reload is not applicable for unit "
            "a.service.\n");
}

TEST_F(StockSystemctl, DaemonReloadFindsNewFiles) {
  EXPECT_EQ(world_.systemctl({"show", "-p", "LoadState", "new.service"}).output,
            "LoadState=not-found\n");
  world_.add_service("new.service");
  const CommandOutcome outcome = world_.systemctl({"daemon-reload"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(world_.systemctl({"show", "-p", "LoadState", "new.service"}).output,
            "LoadState=loaded\n");
}

TEST_F(StockSystemctl, ShowPrintsWhatTheFilesSay) {
  world_.add_unit("c.service",
                  "[Unit]\nDescription=C\nDefaultDependencies=no\nAfter=a.service\n"
                  "[Service]\nExecStart=/bin/true one \"two words\"\nRestart=on-failure\n"
                  "RestartSec=3\nTimeoutStopSec=infinity\nEnvironment=A=b\nUMask=0077\n"
                  "KillMode=mixed\nSuccessExitStatus=7 SIGHUP\n");
  const std::string text = world_.systemctl({"show", "c.service"}).output;
  for (const char* line :
       {"Id=c.service\n", "Names=c.service\n", "Description=C\n", "Restart=on-failure\n",
        "RestartUSec=3s\n", "TimeoutStopUSec=infinity\n", "Environment=A=b\n", "UMask=0077\n",
        "KillMode=mixed\n", "SuccessExitStatus=7 HUP\n", "MainPID=0\n", "LoadState=loaded\n",
        "FragmentPath=/etc/systemd/system/c.service\n", "NeedDaemonReload=no\n",
        "ExecStart={ path=/bin/true ; argv[]=/bin/true one two words ; ignore_errors=no ;"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("After="));
}

TEST_F(StockSystemctl, EndsCleanlyWithNothingInTheLog) {
  EXPECT_EQ(world_.systemctl({"list-jobs"}).output, "No jobs running.\n");
  EXPECT_TRUE(world_.run_until([&] { return world_.facade().connection_count() == 0; }));
  EXPECT_THAT(world_.log, testing::IsEmpty());
}

}  // namespace
}  // namespace flotilla::init
