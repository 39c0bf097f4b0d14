// What a user finds after kill -9 of the manager: everything goes on as if nothing had been.
#include <signal.h>
#include <unistd.h>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Takeover : public SystemTest {
 protected:
  void SetUp() override { machine_.expect_crashes(); }

  void kill_manager() const {
    const pid_t manager = machine_.manager();
    ASSERT_GT(manager, 0);
    ASSERT_EQ(kill(manager, SIGKILL), 0);
    ASSERT_TRUE(wait_until([&] {
      const pid_t now = machine_.manager();
      return now != 0 && now != manager && machine_.property("", "Version") != "";
    })) << machine_.output();
  }
  std::string link_of(pid_t pid, const std::string& name) const {
    char target[256];
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
    const ssize_t size = readlink(path.c_str(), target, sizeof target);
    return size < 0 ? std::string() : std::string(target, static_cast<size_t>(size));
  }
  std::vector<std::string> out() const { return lines_of(root().read("out")); }
  std::string to_out() const { return "StandardOutput=append:" + (root() / "out") + "\n"; }
};

TEST_F(Takeover, LaterCommandsRunInTheSandboxOfTheService) {
  FLOTILLA_NEEDS_ROOT();
  const std::string show = "/bin/sh -c 'ls /tmp; readlink /proc/self/ns/net /proc/self/ns/ipc'\n";
  machine_.add_unit("of-takeover.service",
                    "[Service]\nType=exec\nPrivateTmp=yes\nPrivateNetwork=yes\n"
                    "PrivateIPC=yes\n" +
                        to_out() +
                        "ExecStartPre=/bin/touch /tmp/of-a\nExecStart=/bin/sleep "
                        "1000\nExecReload=" +
                        show + "ExecStopPost=" + show);
  machine_.start();
  ASSERT_THAT(systemctl({"start", "of-takeover"}), Answers(0, "", ""));
  const pid_t main = machine_.main_pid("of-takeover");
  const std::string network = link_of(main, "net"), ipc = link_of(main, "ipc");
  ASSERT_NE(network, link_of(getpid(), "net"));
  kill_manager();
  EXPECT_THAT(systemctl({"reload", "of-takeover"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("of-a", network, ipc));
  kill_manager();
  // Its main process, which alone was in them, is gone when this runs.
  EXPECT_THAT(systemctl({"stop", "of-takeover"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("of-a", network, ipc, "of-a", network, ipc));
  // A helper of its own does that.
  EXPECT_TRUE(wait_until([&] {
    return run_command({"sh", "-c", "ls -d /tmp/systemd-private-*-of-takeover.service-*"})
        .out.empty();
  }));
}

TEST_F(Takeover, ADynamicUserStaysAndGoesWithItsService) {
  FLOTILLA_NEEDS_ROOT();
  machine_.add_unit("d.service", "[Service]\nType=exec\nDynamicUser=yes\n" + to_out() +
                                     "ExecStart=/bin/sleep 1000\nExecReload=/usr/bin/id -u\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "d"}), Answers(0, "", ""));
  ASSERT_THAT(systemctl({"reload", "d"}), Answers(0, "", ""));
  ASSERT_EQ(out().size(), 1u);
  const std::string user = out()[0];
  const std::string lock = root() / ("run/systemd/dynamic-uid/" + user);
  ASSERT_EQ(access(lock.c_str(), F_OK), 0);
  kill_manager();
  ASSERT_THAT(systemctl({"reload", "d"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre(user, user));
  EXPECT_EQ(access(lock.c_str(), F_OK), 0);
  EXPECT_THAT(systemctl({"stop", "d"}), Answers(0, "", ""));
  EXPECT_NE(access(lock.c_str(), F_OK), 0);
}

TEST_F(Takeover, CredentialsAndRuntimeDirectoriesStayAndGoWithTheirService) {
  FLOTILLA_NEEDS_ROOT();
  machine_.add_unit("c.service",
                    "[Service]\nType=exec\nUser=nobody\nSetCredential=key:secret\n"
                    "RuntimeDirectory=of-c\n" +
                        to_out() +
                        "ExecStart=/bin/sleep 1000\n"
                        "ExecReload=/bin/sh -c 'cat ${CREDENTIALS_DIRECTORY}/key; echo; stat -c "
                        "%%U ${RUNTIME_DIRECTORY}'\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "c"}), Answers(0, "", ""));
  kill_manager();
  ASSERT_THAT(systemctl({"reload", "c"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("secret", "nobody"));
  EXPECT_THAT(systemctl({"stop", "c"}), Answers(0, "", ""));
  EXPECT_NE(access((root() / "run/credentials/c.service").c_str(), F_OK), 0);
  EXPECT_NE(access((root() / "run/of-c").c_str(), F_OK), 0);
}

TEST_F(Takeover, TimeLimitsGoOn) {
  const std::string probe = "ExecStart=" FLOTILLA_PROBE " --notify=READY=1\n";
  machine_.add_unit("watched.service", "[Service]\nType=notify\nWatchdogSec=2\n" + probe);
  machine_.add_unit("short.service", "[Service]\nType=notify\nRuntimeMaxSec=3\n" + probe);
  machine_.add_unit("deaf.service",
                    "[Service]\nTimeoutStopSec=2\nExecStart=" FLOTILLA_PROBE " --on-term=-1\n");
  machine_.add_unit("late.service",
                    "[Service]\nType=notify\nTimeoutStartSec=3\nExecStart=" FLOTILLA_PROBE "\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "watched", "short", "deaf"}), Answers(0, "", ""));
  ASSERT_THAT(systemctl({"start", "--no-block", "late"}), Answers(0, "", ""));
  ASSERT_THAT(systemctl({"stop", "--no-block", "deaf"}), Answers(0, "", ""));
  kill_manager();
  EXPECT_TRUE(machine_.wait_for_state("watched", "failed failed watchdog"));
  EXPECT_TRUE(machine_.wait_for_state("short", "failed failed timeout"));
  EXPECT_TRUE(machine_.wait_for_state("deaf", "failed failed timeout"));
  EXPECT_TRUE(machine_.wait_for_state("late", "failed failed timeout"));
}

TEST_F(Takeover, WhatClientsHaveSetStays) {
  machine_.add_unit("e.service",
                    "[Service]\nType=oneshot\n" + to_out() + "ExecStart=/bin/sh -c 'echo $SAID'\n");
  machine_.start();
  ASSERT_THAT(systemctl({"set-environment", "SAID=by a client"}), Answers(0, "", ""));
  kill_manager();
  EXPECT_THAT(systemctl({"show-environment"}).out, HasSubstr("by a client"));
  EXPECT_THAT(systemctl({"start", "e"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("by a client"));
}

TEST_F(Takeover, AFrozenServiceIsFrozenStillAndCanBeThawed) {
  FLOTILLA_NEEDS_ROOT();
  machine_.add_unit("f.service", "[Service]\nExecStart=" FLOTILLA_PROBE "\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "f"}), Answers(0, "", ""));
  if (systemctl({"freeze", "f"}).exit_code != 0) GTEST_SKIP() << "no cgroup can be frozen here";
  kill_manager();
  EXPECT_TRUE(wait_until([&] { return machine_.property("f", "FreezerState") == "frozen"; }));
  EXPECT_THAT(systemctl({"thaw", "f"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.property("f", "FreezerState"), "running");
  ASSERT_THAT(systemctl({"freeze", "f"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.property("f", "FreezerState"), "frozen");
  EXPECT_THAT(systemctl({"stop", "f"}), Answers(0, "", ""));
}

// Without its keeper a manager has nobody who would start it again, or get the exits of its
// children: it stops everything as long as it can.
TEST_F(Takeover, WithoutItsKeeperTheManagerStopsEverythingInOrder) {
  machine_.add_unit("a.service", "[Service]\nExecStart=" FLOTILLA_PROBE
                                 "\nExecStop=/bin/sh -c 'echo \"a says "
                                 "good bye\"'\n");
  machine_.add_unit("b.service", "[Service]\nRestart=always\nExecStart=" FLOTILLA_PROBE "\n");
  for (const bool is_first_manager : {true, false}) {
    SCOPED_TRACE(is_first_manager ? "its own children" : "children of the manager before");
    machine_.start();
    ASSERT_THAT(systemctl({"start", "a", "b"}), Answers(0, "", ""));
    if (!is_first_manager) kill_manager();
    machine_.kill_keeper();
    EXPECT_FALSE(root().has("run/flotilla/state"));
    EXPECT_THAT(machine_.output(), HasSubstr("The keeper is gone; stopping all services."));
    EXPECT_THAT(machine_.log_of("a.service"), ::testing::Contains("a says good bye"));
  }
}

TEST_F(Takeover, WhatIsLeftOfAKeeperAndItsManagerIsEndedByTheNext) {
  machine_.add_unit("a.service", "[Service]\nExecStart=" FLOTILLA_PROBE "\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  const pid_t left = machine_.main_pid("a");
  const pid_t manager = machine_.manager();
  ASSERT_EQ(kill(manager, SIGSTOP), 0);
  kill(machine_.keeper(), SIGKILL);
  kill(manager, SIGKILL);
  ASSERT_TRUE(wait_until([&] { return !is_alive(manager); }));
  ASSERT_TRUE(is_alive(left));
  machine_.start();
  EXPECT_FALSE(is_alive(left));
  EXPECT_EQ(machine_.state("a").substr(0, 13), "inactive dead");
  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
}

}  // namespace
}  // namespace flotilla::system_test
