// What sandboxed services really see, as root: the mounts, users, credentials and filters that
// flotilla-exec makes, and that nothing of them is left.
#include <sys/stat.h>
#include <unistd.h>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Sandboxing : public SystemTest {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "namespaces need root";
  }
  // A oneshot that writes what the shell says to "out".
  void add_oneshot(const std::string& settings, const std::string& script) const {
    machine_.add_unit("o.service",
                      "[Service]\nType=oneshot\nStandardOutput=append:" + (root() / "out") + "\n" +
                          settings + "ExecStart=/bin/sh -c '" + script + "'\n");
  }
  std::vector<std::string> out() const { return lines_of(root().read("out")); }
};

TEST_F(Sandboxing, ProtectedPathsCannotBeWrittenTo) {
  add_oneshot("ProtectSystem=strict\nProtectHome=yes\nReadWritePaths=" + (root() / "var") + "\n",
              "touch /usr/x /etc/x 2>/dev/null || echo refused; touch " + (root() / "var/x") +
                  " && echo written; ls -A /root | wc -l");
  machine_.start();
  ::mkdir((root() / "var").c_str(), 0755);
  EXPECT_THAT(systemctl({"start", "o"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("refused", "written", "0"));
}

TEST_F(Sandboxing, PrivateTmpIsSharedByJoiningUnitsAndRemovedWithTheLast) {
  machine_.add_unit("a.service",
                    "[Service]\nType=exec\nPrivateTmp=yes\nExecStart=/bin/sleep 1000\n"
                    "ExecStartPre=/bin/touch /tmp/of-a\n");
  machine_.add_unit("o.service",
                    "[Unit]\nJoinsNamespaceOf=a.service\n[Service]\nType=oneshot\nPrivateTmp=yes\n"
                    "StandardOutput=append:" +
                        (root() / "out") + "\nExecStart=/bin/ls /tmp\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  EXPECT_NE(::access("/tmp/of-a", F_OK), 0);
  EXPECT_THAT(systemctl({"start", "o"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("of-a"));
  EXPECT_THAT(systemctl({"stop", "a"}), Answers(0, "", ""));
}

TEST_F(Sandboxing, AFailingStepEndsWithSystemdsCodeAndASentence) {
  machine_.add_unit("n.service",
                    "[Service]\nType=exec\nReadOnlyPaths=/nonexistent\nExecStart=/bin/true\n");
  machine_.add_unit("c.service",
                    "[Service]\nType=exec\nLoadCredential=x:/nonexistent\nExecStart=/bin/true\n");
  machine_.add_unit("e.service", "[Service]\nType=exec\nPrivateTmp=yes\nExecStart=/nonexistent\n");
  machine_.add_unit(
      "s.service",
      "[Service]\nType=exec\nSetCredentialEncrypted=x:aGVsbG8=\nExecStart=/bin/true\n");
  machine_.start();
  for (const auto& [unit, status] : {std::pair("n", "226"), std::pair("c", "243"),
                                     std::pair("e", "203"), std::pair("s", "243")}) {
    EXPECT_EQ(systemctl({"start", unit}).exit_code, 1) << unit;
    EXPECT_EQ(machine_.property(unit, "ExecMainStatus"), status) << unit;
    EXPECT_EQ(machine_.state(unit), "failed failed exit-code") << unit;
  }
  EXPECT_TRUE(machine_.wait_for_output(
      "n.service: Failed at step NAMESPACE spawning /bin/true: No such file or directory"))
      << machine_.output();
}

TEST_F(Sandboxing, CredentialsAreReadOnlyAndGoWithTheUnit) {
  machine_.add_unit("a.service",
                    "[Service]\nType=exec\nUser=nobody\nSetCredential=key:secret\n"
                    "ExecStart=/bin/sleep 1000\n");
  machine_.start();
  ASSERT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  const std::string directory = root() / "run/credentials/a.service";
  struct stat info {};
  ASSERT_EQ(::stat((directory + "/key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0400u);
  EXPECT_EQ(info.st_uid, 65534u);
  EXPECT_THAT(systemctl({"stop", "a"}), Answers(0, "", ""));
  EXPECT_NE(::access(directory.c_str(), F_OK), 0);
}

TEST_F(Sandboxing, ADynamicUserIsNobodyElseAndMayWriteNowhere) {
  add_oneshot("DynamicUser=yes\n",
              "id -u; id -un 2>/dev/null; touch /etc/x 2>/dev/null || echo ro");
  machine_.start();
  EXPECT_EQ(systemctl({"start", "o"}).exit_code, 0);
  ASSERT_GE(out().size(), 1u);
  const int uid = std::stoi(out().front());
  EXPECT_GE(uid, 61184);
  EXPECT_LE(uid, 65519);
  EXPECT_EQ(out().back(), "ro");
}

TEST_F(Sandboxing, AFilterRefusesCalls) {
  add_oneshot("SystemCallFilter=~mkdir:EBUSY mkdirat:EBUSY\nRestrictSUIDSGID=yes\n",
              "mkdir " + (root() / "d") + " 2>&1 | grep -o busy; touch " + (root() / "f") +
                  "; chmod 4755 " + (root() / "f") + " 2>/dev/null || echo refused");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "o"}), Answers(0, "", ""));
  EXPECT_THAT(out(), ElementsAre("busy", "refused"));
}

}  // namespace
}  // namespace flotilla::system_test
