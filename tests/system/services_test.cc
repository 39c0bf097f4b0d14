// How services live and die as systemctl shows it: types, restarts, dependencies, timeouts and the
// settings of their processes.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class Services : public SystemTest {
 protected:
  static std::string probe(const std::string& arguments) {
    return "ExecStart=" FLOTILLA_PROBE " " + arguments + "\n";
  }
  std::vector<std::string> starts(const std::string& name = "starts") const {
    return lines_of(root().read(name));
  }
};

TEST_F(Services, NotifyServiceIsUpWhenItSaysSo) {
  machine_.add_unit("n.service", "[Service]\nType=notify\n" +
                                     probe("'--notify=STATUS=all is well' --notify=READY=1"));
  machine_.add_unit("never.service", "[Service]\nType=notify\n" + probe("--exit=0"));
  machine_.add_unit("late.service",
                    "[Service]\nType=notify\nTimeoutStartSec=300ms\n" + probe("--print=waiting"));
  machine_.start();
  EXPECT_THAT(systemctl({"start", "n"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state("n"), "active running success");
  EXPECT_EQ(machine_.property("n", "StatusText"), "all is well");
  EXPECT_THAT(systemctl({"status", "n"}).out, HasSubstr("     Status: \"all is well\"\n"));
  EXPECT_EQ(systemctl({"start", "never"}).exit_code, 1);
  EXPECT_EQ(machine_.state("never"), "failed failed protocol");
  EXPECT_EQ(systemctl({"start", "late"}).exit_code, 1);
  EXPECT_EQ(machine_.state("late"), "failed failed timeout");
}

TEST_F(Services, OneshotRunsItsCommandsInOrderAndMayRemain) {
  const std::string out = root() / "out";
  machine_.add_unit("o.service",
                    "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                    "ExecStart=/bin/sh -c 'echo 1 >> " +
                        out +
                        "'\nExecStart=-/bin/false\n"
                        "ExecStart=/bin/sh -c 'echo 2 >> " +
                        out +
                        "'\n"
                        "ExecStop=/bin/sh -c 'echo stop >> " +
                        out +
                        "'\n"
                        "ExecStopPost=/bin/sh -c 'echo post $SERVICE_RESULT >> " +
                        out + "'\n");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "o"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state("o"), "active exited success");
  EXPECT_THAT(systemctl({"stop", "o"}), Answers(0, "", ""));
  EXPECT_THAT(lines_of(root().read("out")), ElementsAre("1", "2", "stop", "post success"));
}

TEST_F(Services, RestartsUntilTheLimitIsReached) {
  machine_.add_unit("r.service",
                    "[Unit]\nStartLimitBurst=4\nStartLimitIntervalSec=600\n[Service]\n"
                    "Restart=always\nRestartSec=10ms\n" +
                        probe("--append=" + (root() / "starts") + " --exit=3"));
  machine_.start();
  ASSERT_EQ(systemctl({"start", "r"}).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("r", "failed failed exit-code")) << machine_.state("r");
  EXPECT_THAT(starts(), SizeIs(4));
  EXPECT_EQ(machine_.property("r", "NRestarts"), "4");
  const Outcome again = systemctl({"start", "r"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, StartsWith("Job for r.service failed"));
  EXPECT_EQ(systemctl({"reset-failed", "r"}).exit_code, 0);
  EXPECT_EQ(systemctl({"start", "r"}).exit_code, 0);
}

TEST_F(Services, RestartsAKilledServiceButNotAStoppedOne) {
  machine_.add_unit("r.service", "[Service]\nRestart=on-failure\nRestartSec=0\n" +
                                     probe("--append=" + (root() / "starts")));
  machine_.start();
  ASSERT_EQ(systemctl({"start", "r"}).exit_code, 0);
  const pid_t first = machine_.main_pid("r");
  kill(first, SIGKILL);
  ASSERT_TRUE(wait_until([&] { return starts().size() == 2; }));
  ASSERT_TRUE(machine_.wait_for_state("r", "active running success"));
  EXPECT_NE(machine_.main_pid("r"), first);
  EXPECT_EQ(machine_.property("r", "NRestarts"), "1");
  ASSERT_EQ(systemctl({"stop", "r"}).exit_code, 0);
  EXPECT_EQ(machine_.state("r"), "inactive dead success");
  EXPECT_THAT(starts(), SizeIs(2));
}

TEST_F(Services, DependenciesPullOrderAndStopUnits) {
  const std::string log = root() / "order";
  const auto note = [&](const std::string& name) {
    return "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo +" + name +
           " >> " + log + "'\nExecStop=/bin/sh -c 'echo -" + name + " >> " + log + "'\n";
  };
  machine_.add_unit("base.service", note("base"));
  machine_.add_unit("mid.service",
                    "[Unit]\nRequires=base.service\nAfter=base.service\n" + note("mid"));
  machine_.add_unit("top.service",
                    "[Unit]\nRequires=mid.service\nAfter=mid.service\nWants=none.service "
                    "bad.service\nAfter=bad.service\n" +
                        note("top"));
  machine_.add_unit("bad.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
  machine_.add_unit("enemy.service",
                    "[Unit]\nConflicts=base.service\nAfter=base.service\n" + note("enemy"));
  machine_.add_unit("broken.service",
                    "[Unit]\nRequires=bad.service\nAfter=bad.service\n" + note("broken"));
  machine_.start();
  EXPECT_THAT(systemctl({"start", "top"}), Answers(0, "", ""));
  EXPECT_THAT(lines_of(root().read("order")), ElementsAre("+base", "+mid", "+top"));
  const Outcome broken = systemctl({"start", "broken"});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.err, StartsWith("A dependency job for broken.service failed."));
  EXPECT_EQ(machine_.state("broken"), "inactive dead success");
  EXPECT_THAT(systemctl({"start", "enemy"}), Answers(0, "", ""));
  EXPECT_THAT(lines_of(root().read("order")),
              ElementsAre("+base", "+mid", "+top", "-top", "-mid", "-base", "+enemy"));
  EXPECT_EQ(machine_.state("base"), "inactive dead success");
  EXPECT_EQ(machine_.state("enemy"), "active exited success");
}

TEST_F(Services, StopsStubbornProcessesByKillMode) {
  const auto tree = [&](const std::string& name) {
    return "ExecStart=/bin/sh -c '" FLOTILLA_PROBE " --append=" + (root() / name) +
           " --on-term=-1 & exec " FLOTILLA_PROBE " --append=" + (root() / name) + "'\n";
  };
  machine_.add_unit("group.service", "[Service]\nTimeoutStopSec=300ms\n" + tree("group"));
  machine_.add_unit("mixed.service", "[Service]\nKillMode=mixed\n" + tree("mixed"));
  machine_.add_unit("process.service", "[Service]\nKillMode=process\n" + tree("process"));
  machine_.start();
  ASSERT_EQ(systemctl({"start", "group", "mixed", "process"}).exit_code, 0);
  std::map<std::string, std::vector<pid_t>> pids;
  for (const std::string name : {"group", "mixed", "process"}) {
    ASSERT_TRUE(wait_until([&] { return starts(name).size() == 2; })) << name;
    for (const std::string& line : starts(name)) pids[name].push_back(std::stoi(line));
  }
  EXPECT_EQ(systemctl({"stop", "group", "mixed", "process"}).exit_code, 0);
  for (const std::string name : {"group", "mixed"}) {
    for (const pid_t pid : pids[name]) EXPECT_FALSE(is_alive(pid)) << name;
  }
  EXPECT_EQ(machine_.state("group"), "failed failed timeout");
  EXPECT_EQ(machine_.state("mixed"), "inactive dead success");
  int left = 0;
  for (const pid_t pid : pids["process"]) left += is_alive(pid) ? 1 : 0;
  EXPECT_EQ(left, 1) << "KillMode=process leaves the others alone";
  // Their cgroup cannot go before they have.
  for (const pid_t pid : pids["process"]) {
    kill(pid, SIGKILL);
    EXPECT_TRUE(wait_until([&] { return !is_alive(pid); }));
  }
}

TEST_F(Services, GiveTheirProcessesWhatTheirFilesSay) {
  mkdir((root() / "work").c_str(), 0755);
  // One command that tells all: what it prints goes to the unit's log.
  machine_.add_unit(
      "e.service",
      "[Service]\nType=oneshot\nRemainAfterExit=yes\nEnvironment=ONE=1 \"TWO=a b\"\n"
      "EnvironmentFile=" +
          (root() / "env") + "\nWorkingDirectory=" + (root() / "work") +
          "\nUMask=0077\nLimitNOFILE=321\nNice=5\nExecStart=/bin/sh -c 'echo \"$$ONE,$$TWO,"
          "$$THREE\"; pwd; umask; ulimit -n; nice'\n");
  root().write("env", "# a comment\nTHREE='c d'\n");
  machine_.start();
  ASSERT_EQ(systemctl({"start", "e"}).exit_code, 0);
  const std::vector<std::string> wanted{"1,a b,c d", root() / "work", "0077", "321", "5"};
  // The manager's own lines of the unit are there as well.
  EXPECT_TRUE(wait_until([&] {
    const auto lines = machine_.log_of("e.service");
    return std::find(lines.begin(), lines.end(), wanted.back()) != lines.end();
  }));
  std::vector<std::string> printed;
  for (const std::string& line : machine_.log_of("e.service")) {
    if (std::find(wanted.begin(), wanted.end(), line) != wanted.end()) printed.push_back(line);
  }
  EXPECT_EQ(printed, wanted) << ::testing::PrintToString(machine_.log_of("e.service"));
}

TEST_F(Services, RunAsTheUserTheyName) {
  FLOTILLA_NEEDS_ROOT();
  machine_.add_unit("u.service",
                    "[Service]\nType=oneshot\nRemainAfterExit=yes\nUser=daemon\nExecStart=/bin/sh "
                    "-c 'id -un > " +
                        (root() / "open/who") + "; echo $HOME $USER >> " + (root() / "open/who") +
                        "'\n");
  machine_.add_unit("none.service",
                    "[Service]\nType=exec\nUser=no-such-user\nExecStart=/bin/true\n");
  root().make_directory("open");
  chmod((root() / "open").c_str(), 0777);
  machine_.start();
  EXPECT_THAT(systemctl({"start", "u"}), Answers(0, "", ""));
  EXPECT_EQ(root().read("open/who"), "daemon\n/usr/sbin daemon\n");
  EXPECT_EQ(systemctl({"start", "none"}).exit_code, 1);
  EXPECT_EQ(machine_.property("none", "ExecMainStatus"), "217");
}

TEST_F(Services, StopWithTheMachineInOrder) {
  const std::string log = root() / "order";
  machine_.add_unit(
      "first.service",
      "[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c 'echo first >> " + log + "'\n");
  machine_.add_unit("second.service",
                    "[Unit]\nAfter=first.service\n[Service]\nExecStart=/bin/sleep 1000\n"
                    "ExecStop=/bin/sh -c 'echo second >> " +
                        log + "'\n");
  machine_.start();
  ASSERT_EQ(systemctl({"start", "first", "second"}).exit_code, 0);
  EXPECT_EQ(machine_.stop(), 0);
  EXPECT_THAT(lines_of(root().read("order")), ElementsAre("second", "first"));
}

TEST_F(Services, StartAtBootWhereATargetWantsThem) {
  machine_.add_unit("boot.service", "[Service]\n" + probe("--append=" + (root() / "starts")));
  machine_.add_unit("multi-user.target.wants/boot.service", "");
  std::remove((root() / "etc/systemd/system/multi-user.target.wants/boot.service").c_str());
  ASSERT_EQ(symlink("../boot.service",
                    (root() / "etc/systemd/system/multi-user.target.wants/boot.service").c_str()),
            0);
  machine_.start();
  EXPECT_EQ(machine_.state("boot"), "active running success");
  EXPECT_TRUE(wait_until([&] { return starts().size() == 1; }));
}

}  // namespace
}  // namespace flotilla::system_test
