// Sessions around a service, as root: PAM's (PAMName=) and the records of utmp (UtmpIdentifier=).
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

#include <cstring>
#include <fstream>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void write_file(const std::string& path, const std::string& text, mode_t mode = 0644) {
  std::ofstream(path) << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

// An /etc/pam.d of this process and its children alone.
class PamSession : public SystemTest {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root";
    if (::access("/lib/x86_64-linux-gnu/security/pam_exec.so", F_OK) != 0 ||
        ::access("/etc/pam.d", F_OK) != 0) {
      GTEST_SKIP() << "PAM's modules are not installed";
    }
    if (::unshare(CLONE_NEWNS) != 0) GTEST_SKIP() << "mount namespaces are not to be had";
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr), 0);
    ASSERT_EQ(::mount("tmpfs", "/etc/pam.d", "tmpfs", 0, nullptr), 0);
    is_mounted_ = true;
  }
  void TearDown() override {
    SystemTest::TearDown();
    if (is_mounted_) ::umount2("/etc/pam.d", MNT_DETACH);
  }
  std::vector<std::string> told() const { return lines_of(root().read("told")); }

 private:
  bool is_mounted_ = false;
};

TEST_F(PamSession, OpensBeforeTheProgramGivesItVariablesAndClosesAfterIt) {
  machine_.add_unit("a.service",
                    "[Service]\nType=exec\nUser=nobody\nPAMName=flotilla-test\n"
                    "Environment=OWN=1\nExecStart=/bin/sleep 1000\n");
  machine_.start();
  // As the session is closed by the user, the script tells of both.
  write_file(root() / "told", "", 0666);
  write_file(root() / "tell",
             "#!/bin/sh\necho $PAM_TYPE $PAM_USER $PAM_SERVICE >>" + (root() / "told") + "\n",
             0755);
  ASSERT_EQ(::chmod((root() / "").c_str(), 0755), 0);
  write_file(root() / "variables", "OF_PAM=yes\n");
  write_file("/etc/pam.d/flotilla-test",
             "auth required pam_permit.so\naccount required pam_permit.so\n"
             "session required pam_env.so conffile=/dev/null envfile=" +
                 (root() / "variables") + "\nsession required pam_exec.so quiet " +
                 (root() / "tell") + "\n");
  ASSERT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  EXPECT_THAT(told(), ElementsAre("open_session nobody flotilla-test"));
  std::ifstream file("/proc/" + machine_.property("a", "MainPID") + "/environ");
  const std::string environment{std::istreambuf_iterator<char>(file), {}};
  const std::string zero(1, '\0');
  EXPECT_THAT(zero + environment, HasSubstr(zero + "OF_PAM=yes" + zero));
  EXPECT_THAT(zero + environment, HasSubstr(zero + "OWN=1" + zero));
  EXPECT_THAT(zero + environment, HasSubstr(zero + "USER=nobody" + zero));
  EXPECT_THAT(systemctl({"stop", "a"}), Answers(0, "", ""));
  EXPECT_TRUE(wait_until([&] { return told().size() == 2; }));
  EXPECT_THAT(told(), ElementsAre("open_session nobody flotilla-test",
                                  "close_session nobody flotilla-test"));
  EXPECT_EQ(machine_.state("a"), "inactive dead success");
}

TEST_F(PamSession, ARefusalEndsWithItsExitCode) {
  machine_.add_unit("a.service",
                    "[Service]\nType=exec\nUser=nobody\nPAMName=flotilla-test\n"
                    "ExecStart=/bin/sleep 1000\n");
  machine_.start();
  write_file("/etc/pam.d/flotilla-test",
             "account required pam_deny.so\nsession required pam_permit.so\n");
  EXPECT_EQ(systemctl({"start", "a"}).exit_code, 1);
  EXPECT_EQ(machine_.property("a", "ExecMainStatus"), "224");
  EXPECT_EQ(machine_.state("a"), "failed failed exit-code");
}

class UtmpRecords : public SystemTest {
 protected:
  static std::vector<utmpx> records(const std::string& bytes) {
    std::vector<utmpx> found(bytes.size() / sizeof(utmpx));
    if (!found.empty()) std::memcpy(found.data(), bytes.data(), found.size() * sizeof(utmpx));
    return found;
  }
};

TEST_F(UtmpRecords, AreMadeBeforeTheProgramAndMarkedDeadAfterIt) {
  machine_.add_unit("a.service",
                    "[Service]\nType=exec\nUtmpIdentifier=%p12345\nUtmpMode=user\n"
                    "TTYPath=/dev/tty9\nExecStart=/bin/sleep 1000\n");
  machine_.start();
  ::mkdir((root() / "var").c_str(), 0755);
  ::mkdir((root() / "var/log").c_str(), 0755);
  write_file(root() / "run/utmp", "");
  write_file(root() / "var/log/wtmp", "");
  ASSERT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  auto now = records(root().read("run/utmp"));
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now[0].ut_type, USER_PROCESS);
  EXPECT_EQ(std::to_string(now[0].ut_pid), machine_.property("a", "MainPID"));
  EXPECT_EQ(std::string(now[0].ut_id, 4), "2345");
  EXPECT_STREQ(now[0].ut_line, "tty9");
  EXPECT_THAT(systemctl({"stop", "a"}), Answers(0, "", ""));
  now = records(root().read("run/utmp"));
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now[0].ut_type, DEAD_PROCESS);
  std::vector<int> events;
  for (const utmpx& one : records(root().read("var/log/wtmp"))) events.push_back(one.ut_type);
  EXPECT_THAT(events, ElementsAre(INIT_PROCESS, LOGIN_PROCESS, USER_PROCESS, DEAD_PROCESS));
}

}  // namespace
}  // namespace flotilla::system_test
