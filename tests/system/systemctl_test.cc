// The distribution's systemctl against flotilla-init: verbs, exit codes and texts.
#include <signal.h>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Systemctl : public SystemTest {
 protected:
  std::string file(const std::string& name) const { return root() / name; }
  static std::string probe(const std::string& arguments) {
    return "ExecStart=" FLOTILLA_PROBE " " + arguments + "\n";
  }
};

TEST_F(Systemctl, StartsShowsRestartsReloadsKillsAndStopsAService) {
  machine_.add_unit("a.service", "[Unit]\nDescription=The A\n[Service]\n" +
                                     probe("--append=" + file("starts") + " --print=hello " +
                                           "--on-hup=" + file("reloads")) +
                                     "ExecReload=/bin/kill -HUP $MAINPID\n");
  machine_.start();
  EXPECT_THAT(systemctl({"is-active", "a"}), Answers(3, "inactive\n", ""));
  EXPECT_THAT(systemctl({"start", "a.service"}), Answers(0, "", ""));
  EXPECT_THAT(systemctl({"is-active", "a"}), Answers(0, "active\n", ""));
  EXPECT_EQ(machine_.state("a"), "active running success");
  const pid_t first = machine_.main_pid("a.service");
  EXPECT_THAT(find_process(first).command, StartsWith(FLOTILLA_PROBE));
  ASSERT_TRUE(wait_until([&] { return root().read("starts") == std::to_string(first) + "\n"; }));
  const Outcome status = systemctl({"status", "a"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(
      status.out,
      AllOf(
          StartsWith("● a.service - The A\n     Loaded: loaded (/"),
          HasSubstr("/etc/systemd/system/a.service; static)\n     Active: active (running) since "),
          HasSubstr("\n   Main PID: " + std::to_string(first) + " (service_probe)\n")));

  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.main_pid("a"), first) << "a start of a running service changes nothing";
  EXPECT_THAT(systemctl({"reload", "a"}), Answers(0, "", ""));
  EXPECT_TRUE(wait_until([&] { return root().read("reloads") == "reload\n"; }));
  EXPECT_EQ(machine_.main_pid("a"), first);

  EXPECT_THAT(systemctl({"restart", "a"}), Answers(0, "", ""));
  const pid_t second = machine_.main_pid("a");
  EXPECT_NE(second, first);
  EXPECT_FALSE(is_alive(first));
  EXPECT_THAT(systemctl({"kill", "-s", "KILL", "a"}), Answers(0, "", ""));
  ASSERT_TRUE(machine_.wait_for_state("a", "failed failed signal"));
  EXPECT_THAT(systemctl({"is-failed", "a"}), Answers(0, "failed\n", ""));
  EXPECT_THAT(systemctl({"is-active", "a"}), Answers(3, "failed\n", ""));
  EXPECT_THAT(systemctl({"status", "a"}).out,
              AllOf(HasSubstr("Active: failed (Result: signal) since "),
                    HasSubstr("code=killed, signal=KILL)")));
  EXPECT_EQ(systemctl({"status", "a"}).exit_code, 3);
  EXPECT_THAT(systemctl({"reset-failed", "a"}), Answers(0, "", ""));
  EXPECT_THAT(systemctl({"is-failed", "a"}), Answers(1, "inactive\n", ""));

  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  EXPECT_THAT(systemctl({"stop", "a"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state("a"), "inactive dead success");
  EXPECT_THAT(machine_.services(), IsEmpty());
  EXPECT_THAT(systemctl({"stop", "a"}), Answers(0, "", ""));
}

TEST_F(Systemctl, AnswersForMissingUnitsAsForSystemd) {
  machine_.start();
  EXPECT_THAT(systemctl({"is-active", "none"}), Answers(3, "inactive\n", ""));
  EXPECT_THAT(systemctl({"is-failed", "none"}), Answers(1, "inactive\n", ""));
  EXPECT_THAT(systemctl({"status", "none"}),
              Answers(4, "", "Unit none.service could not be found.\n"));
  EXPECT_THAT(systemctl({"start", "none"}),
              Answers(5, "", "Failed to start none.service: Unit none.service not found.\n"));
  EXPECT_THAT(systemctl({"stop", "none"}),
              Answers(5, "", "Failed to stop none.service: Unit none.service not loaded.\n"));
  EXPECT_THAT(systemctl({"restart", "none"}),
              Answers(5, "", "Failed to restart none.service: Unit none.service not found.\n"));
  EXPECT_THAT(systemctl({"reload", "none"}),
              Answers(5, "", "Failed to reload none.service: Unit none.service not found.\n"));
  EXPECT_THAT(systemctl({"kill", "none"}),
              Answers(1, "", "Failed to kill unit none.service: Unit none.service not loaded.\n"));
  EXPECT_THAT(systemctl({"show", "none", "-p", "LoadState", "-p", "ActiveState"}),
              Answers(0, "LoadState=not-found\nActiveState=inactive\n", ""));
}

TEST_F(Systemctl, ShowsPropertiesInTheOrderOfSystemd) {
  machine_.add_unit("p.service",
                    "[Unit]\nDescription=Properties\nAfter=q.service\n[Service]\n"
                    "Type=exec\nExecStart=/bin/sleep 1000\nEnvironment=A=1 \"B=x y\"\n"
                    "Restart=on-failure\nRestartSec=1min 5s\nTimeoutStopSec=7\nUMask=0027\n"
                    "LimitNOFILE=512:1024\nKillMode=mixed\nKillSignal=SIGINT\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "p"}), Answers(0, "", ""));
  EXPECT_THAT(systemctl({"show", "p", "-p",
                         "Type,Restart,RestartUSec,TimeoutStopUSec,UMask,"
                         "LimitNOFILE,LimitNOFILESoft,KillMode,KillSignal,"
                         "Environment,Description,LoadState,Id,Names"}),
              Answers(0,
                      "Type=exec\nRestart=on-failure\nRestartUSec=1min 5s\nTimeoutStopUSec=7s\n"
                      "Environment=A=1 \"B=x y\"\nUMask=0027\nLimitNOFILE=1024\n"
                      "LimitNOFILESoft=512\nKillMode=mixed\nKillSignal=2\nId=p.service\n"
                      "Names=p.service\nDescription=Properties\nLoadState=loaded\n",
                      ""));
  EXPECT_THAT(machine_.property("p", "After"), HasSubstr("q.service"));
  EXPECT_THAT(machine_.property("p", "ExecStart"),
              StartsWith("{ path=/bin/sleep ; argv[]=/bin/sleep 1000 ; ignore_errors=no ; "));
  EXPECT_EQ(machine_.property("p", "NRestarts"), "0");
  EXPECT_THAT(machine_.property("p", "InvocationID"), ContainsRegex("^[0-9a-f]{32}$"));
  EXPECT_THAT(machine_.property("", "Version"), StartsWith("252"));
  EXPECT_THAT(systemctl({"show", "p", "nosuch.service", "-p", "Id"}),
              Answers(0, "Id=p.service\n\nId=nosuch.service\n", ""));
}

TEST_F(Systemctl, ListsUnitsByPatternStateAndType) {
  machine_.add_unit("run-one.service", "[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.add_unit("run-two.service",
                    "[Unit]\nDescription=Number two\n[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.add_unit("bad.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
  machine_.start();
  ASSERT_EQ(systemctl({"start", "run-one", "run-two"}).exit_code, 0);
  EXPECT_EQ(systemctl({"start", "bad"}).exit_code, 1);
  EXPECT_THAT(systemctl({"list-units", "--plain", "--no-legend", "run-*"}),
              Answers(0,
                      "run-one.service loaded active running run-one.service\n"
                      "run-two.service loaded active running Number two\n",
                      ""));
  EXPECT_THAT(systemctl({"list-units", "--plain", "--no-legend", "--failed"}),
              Answers(0, "bad.service loaded failed failed bad.service\n", ""));
  EXPECT_THAT(systemctl({"--failed", "--plain", "--no-legend"}),
              Answers(0, "bad.service loaded failed failed bad.service\n", ""));
  EXPECT_THAT(systemctl({"list-units", "--plain", "--no-legend", "--state=running", "--all",
                         "--type=service"})
                  .out,
              AllOf(HasSubstr("run-one.service"), HasSubstr("run-two.service"),
                    Not(HasSubstr("bad.service"))));
  EXPECT_THAT(systemctl({"list-units", "--plain", "--no-legend", "--type=target"}).out,
              AllOf(HasSubstr("multi-user.target"), Not(HasSubstr(".service"))));
  EXPECT_THAT(systemctl({"list-units", "--all"}).out,
              AllOf(HasSubstr("run-one.service"), HasSubstr("bad.service"),
                    HasSubstr("loaded units listed.")));
  EXPECT_THAT(systemctl({"list-units", "no-such-*"}).out, HasSubstr("0 loaded units listed."));
  EXPECT_EQ(machine_.property("", "SystemState"), "degraded");
  EXPECT_THAT(systemctl({"reset-failed"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.property("", "SystemState"), "running");
}

TEST_F(Systemctl, ReadsChangedFilesAtDaemonReloadAndSaysSoBefore) {
  machine_.add_unit("a.service", "[Unit]\nDescription=Old\n[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.start();
  ASSERT_EQ(systemctl({"start", "a"}).exit_code, 0);
  const pid_t pid = machine_.main_pid("a");
  // A second later: systemd too compares times of change.
  machine_.add_unit("a.service", "[Unit]\nDescription=New\n[Service]\nExecStart=/bin/sleep 1001\n");
  EXPECT_EQ(machine_.property("a", "NeedDaemonReload"), "yes");
  EXPECT_EQ(machine_.property("a", "Description"), "Old");
  EXPECT_THAT(systemctl({"daemon-reload"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.property("a", "NeedDaemonReload"), "no");
  EXPECT_EQ(machine_.property("a", "Description"), "New");
  EXPECT_EQ(machine_.main_pid("a"), pid) << "a running service is not touched";
  ASSERT_EQ(systemctl({"restart", "a"}).exit_code, 0);
  EXPECT_TRUE(wait_until(
      [&] { return find_process(machine_.main_pid("a")).command == "/bin/sleep 1001"; }));
  // A new file needs no reload.
  machine_.add_unit("b.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
  EXPECT_THAT(systemctl({"start", "b"}), Answers(0, "", ""));
}

TEST_F(Systemctl, FailedStartsTellWhy) {
  machine_.add_unit("missing.service", "[Service]\nType=exec\nExecStart=/no/such/program\n");
  machine_.add_unit("code.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 7'\n");
  machine_.add_unit("manual.service",
                    "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/true\n");
  machine_.start();
  const Outcome missing = systemctl({"start", "missing"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err,
              StartsWith("Job for missing.service failed because the control process exited with "
                         "error code.\n"));
  EXPECT_EQ(machine_.property("missing", "ExecMainStatus"), "203");
  EXPECT_EQ(machine_.state("missing"), "failed failed exit-code");
  EXPECT_EQ(systemctl({"start", "code"}).exit_code, 1);
  EXPECT_EQ(machine_.property("code", "ExecMainStatus"), "7");
  EXPECT_THAT(systemctl({"status", "code"}).out, HasSubstr("(code=exited, status=7)"));
  EXPECT_THAT(systemctl({"start", "manual"}),
              Answers(4, "",
                      StartsWith("Failed to start manual.service: Operation refused, unit "
                                 "manual.service may be requested by dependency only")));
  EXPECT_THAT(
      systemctl({"reload", "code"}),
      Answers(3, "", HasSubstr("Job type reload is not applicable for unit code.service.")));
}

}  // namespace
}  // namespace flotilla::system_test
