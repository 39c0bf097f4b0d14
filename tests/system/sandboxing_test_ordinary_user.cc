// The manager of an ordinary user: what of the sandbox it can give, what it goes without, and what
// fails, each as `systemd --user` does it.
#include <array>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr uid_t kNobody = 65534;

class OrdinaryUser : public SystemTest {
 protected:
  void SetUp() override { FLOTILLA_NEEDS_ROOT(); }

  void add_oneshot(const std::string& name, const std::string& settings,
                   const std::string& script) const {
    machine_.add_unit(name + ".service",
                      "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n"
                      "StandardOutput=append:" +
                          (root() / name) + "\n" + settings + "ExecStart=/bin/sh -c '" + script +
                          "'\n");
  }
  void start() {
    ASSERT_EQ(run_command({"chown", "-R", "65534:65534", root().path()}).exit_code, 0);
    CommandOptions options;
    options.user = kNobody;
    options.environment = {{"HOME", root().path()}, {"USER", "nobody"}};
    machine_.start(options);
  }
  std::vector<std::string> out(const std::string& name) const {
    return lines_of(root().read(name));
  }
};

TEST_F(OrdinaryUser, GoesWithoutMountsThatOnlyHoldBack) {
  add_oneshot("paths", "ProtectSystem=strict\nProtectHome=yes\nInaccessiblePaths=/usr/share\n",
              "ls /usr/share >/dev/null && echo seen");
  add_oneshot("tmp", "PrivateTmp=yes\n", "echo ran");
  add_oneshot("kernel", "ProtectKernelTunables=yes\nProtectControlGroups=yes\n", "echo ran");
  add_oneshot("name", "ProtectHostname=yes\nPrivateNetwork=yes\nPrivateIPC=yes\n", "echo ran");
  add_oneshot("itself", "BindPaths=/usr\n", "echo ran");
  start();
  EXPECT_THAT(systemctl({"start", "paths", "tmp", "kernel", "name", "itself"}), Answers(0, "", ""));
  EXPECT_THAT(out("paths"), ElementsAre("seen"));
  for (const char* unit : {"tmp", "kernel", "name", "itself"}) {
    EXPECT_THAT(out(unit), ElementsAre("ran")) << unit;
  }
}

TEST_F(OrdinaryUser, MayGiveUpRights) {
  add_oneshot("nnp", "NoNewPrivileges=yes\n",
              "grep NoNewPrivs /proc/self/status | tr -d \"\\\\t\"");
  add_oneshot("filter", "SystemCallFilter=@system-service\n",
              "grep -E \"NoNewPrivs|Seccomp:\" /proc/self/status | tr -d \"\\\\t\"");
  start();
  EXPECT_THAT(systemctl({"start", "nnp", "filter"}), Answers(0, "", ""));
  EXPECT_THAT(out("nnp"), ElementsAre("NoNewPrivs:1"));
  EXPECT_THAT(out("filter"), ElementsAre("NoNewPrivs:1", "Seccomp:2"));
}

TEST_F(OrdinaryUser, FailsWhereItCannotDoWhatChangesTheWorldOrTheProcess) {
  const std::vector<std::array<std::string, 3>> cases{
      {"bind", "BindPaths=/usr:/srv\n", "226"},
      {"tmpfs", "TemporaryFileSystem=/srv\n", "226"},
      {"root", "RootDirectory=/usr\n", "226"},
      {"bounding", "CapabilityBoundingSet=~CAP_SYS_ADMIN\n", "218"},
      {"modules", "ProtectKernelModules=yes\n", "218"},
      {"devices", "PrivateDevices=yes\n", "218"},
      {"ambient", "AmbientCapabilities=CAP_NET_BIND_SERVICE\n", "218"},
      {"group", "KeyringMode=inherit\nGroup=daemon\n", "216"},
      {"groups", "KeyringMode=inherit\nSupplementaryGroups=daemon\n", "216"},
      {"dynamic", "DynamicUser=yes\n", "217"},
      {"realtime", "CPUSchedulingPolicy=rr\nCPUSchedulingPriority=5\n", "214"},
  };
  for (const auto& [name, settings, code] : cases) add_oneshot(name, settings, "true");
  start();
  for (const auto& [name, settings, code] : cases) {
    EXPECT_EQ(systemctl({"start", name}).exit_code, 1) << name;
    EXPECT_EQ(machine_.property(name, "ExecMainStatus"), code) << name << machine_.output();
    EXPECT_EQ(machine_.state(name), "failed failed exit-code") << name;
  }
}

TEST_F(OrdinaryUser, PriorityIsRaisedAsFarAsItMayBe) {
  add_oneshot("a", "Nice=-5\n", "nice");
  add_oneshot("b", "Nice=5\n", "nice");
  start();
  EXPECT_THAT(systemctl({"start", "a", "b"}), Answers(0, "", ""));
  ASSERT_THAT(out("a"), SizeIs(1));
  EXPECT_THAT(out("b"), ElementsAre("5"));
}

TEST_F(OrdinaryUser, ANamespaceOfUsersGivesTheOthers) {
  if (run_command({"unshare", "--user", "true"}, {.user = kNobody}).exit_code != 0) {
    GTEST_SKIP() << "an ordinary user may make no user namespaces here";
  }
  add_oneshot("users", "PrivateUsers=yes\n", "id -u; echo $(cat /proc/self/uid_map)");
  add_oneshot("net", "PrivateUsers=yes\nPrivateNetwork=yes\n",
              "grep -c : /proc/net/dev; ls /proc/self/ns/net");
  start();
  EXPECT_THAT(systemctl({"start", "users", "net"}), Answers(0, "", ""));
  EXPECT_THAT(out("users"), ElementsAre("65534", "65534 65534 1"));
  EXPECT_THAT(out("net"), ElementsAre("1", "/proc/self/ns/net"));
}

}  // namespace
}  // namespace flotilla::system_test
