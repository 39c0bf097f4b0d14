#include <gmock/gmock.h>
#include <sys/wait.h>

#include "init/manager_fixture.h"
#include "init/mount_table.h"

namespace flotilla::init {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::Not;

// Where= lies below /proc: a test makes no directories.
class ManagerMounts : public ManagerTest {
 protected:
  void mounted(const std::string& text) {
    tree_.add_file(
        "/proc/self/mountinfo",
        "1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / /data rw - xfs /dev/b rw\n" + text);
    if (manager_) manager_->impl().refresh_mounts();
    settle();
  }
  void boot_with_clients() {
    boot();
    manager_->impl().options.lists_mounts = true;
    manager_->list_mounts();
    settle();
  }
  std::vector<std::string> after(const std::string& name) {
    return manager_->dependencies(*manager_->find_unit(name), Dependency::kAfter);
  }
  std::vector<std::string> required(const std::string& name) {
    return manager_->dependencies(*manager_->find_unit(name), Dependency::kRequires);
  }
  pid_t control_pid(const std::string& name) { return manager_->find_unit(name)->control_pid(); }

  static constexpr char kFile[] = "[Mount]\nWhat=tmpfs\nType=tmpfs\n";
  static constexpr char kLine[] = "3 1 0:3 / /proc/m rw - tmpfs tmpfs rw,size=4k\n";
};

TEST_F(ManagerMounts, NobodyLooksBeforeThereIsNeed) {
  mounted("");
  unit("a.service", "[Service]\nExecStart=/a\nStateDirectory=a\n");
  unit("default.target", "[Unit]\nWants=a.service\n");
  boot();
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_EQ(manager_->find_unit("-.mount"), nullptr);
  EXPECT_EQ(manager_->find_unit("data.mount"), nullptr);
  EXPECT_THAT(after("a.service"), Not(Contains("-.mount")));
}

TEST_F(ManagerMounts, EveryMountIsAUnitOnceSomebodyAsks) {
  mounted("");
  unit("a.service", "[Service]\nExecStart=/a\nWorkingDirectory=/data/x\n");
  unit("default.target", "[Unit]\nWants=a.service\n");
  boot_with_clients();
  EXPECT_EQ(state_of("-.mount"), "active/mounted");
  EXPECT_EQ(state_of("data.mount"), "active/mounted");
  EXPECT_EQ(manager_->mount_line(*manager_->find_unit("data.mount"))->type, "xfs");
  EXPECT_EQ(manager_->jobs().size(), 0u);
  EXPECT_THAT(after("a.service"), IsSupersetOf({"-.mount", "data.mount"}));
  // What only the kernel knows is nothing that could be started.
  EXPECT_THAT(required("a.service"), Not(Contains("data.mount")));
}

TEST_F(ManagerMounts, FollowsWhatOthersDo) {
  mounted("");
  boot_with_clients();
  mounted("3 1 0:3 / /new rw - tmpfs tmpfs rw\n");
  EXPECT_EQ(state_of("new.mount"), "active/mounted");
  EXPECT_FALSE(manager_->find_unit("new.mount")->invocation_id().empty());
  mounted("");
  EXPECT_EQ(manager_->find_unit("new.mount"), nullptr);
  mounted("3 1 0:3 / /new rw - tmpfs tmpfs rw\n");
  EXPECT_EQ(state_of("new.mount"), "active/mounted");
}

TEST_F(ManagerMounts, AServiceBringsTheMountsOnItsWay) {
  mounted("");
  unit("proc-m.mount", kFile);
  unit("a.service", "[Unit]\nRequiresMountsFor=/proc/m/sub\n[Service]\nExecStart=/a\n");
  boot();
  ask("a.service", "start");
  EXPECT_EQ(state_of("proc-m.mount"), "activating/mounting");
  EXPECT_EQ(state_of("a.service"), "inactive/dead");
  EXPECT_THAT(required("a.service"), Contains("proc-m.mount"));
  mounted(kLine);
  EXPECT_EQ(state_of("proc-m.mount"), "activating/mounting-done");
  exit(control_pid("proc-m.mount"), CLD_EXITED, 0);
  EXPECT_EQ(state_of("proc-m.mount"), "active/mounted");
  EXPECT_EQ(state_of("a.service"), "active/running");
  EXPECT_TRUE(logs_.has("proc-m.mount|Mounting proc-m.mount - /proc/m..."));
  EXPECT_TRUE(logs_.has("proc-m.mount|Mounted proc-m.mount - /proc/m."));

  ask("proc-m.mount", "stop");
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  EXPECT_EQ(state_of("proc-m.mount"), "deactivating/unmounting");
  tree_.add_file("/proc/self/mountinfo", "1 0 0:1 / / rw - ext4 /dev/vda rw\n");
  exit(control_pid("proc-m.mount"), CLD_EXITED, 0);
  EXPECT_EQ(state_of("a.service"), "not loaded");
  EXPECT_TRUE(logs_.has("proc-m.mount|Unmounted proc-m.mount - /proc/m."));
}

TEST_F(ManagerMounts, AMountThatFailsFailsWhatNeedsIt) {
  mounted("");
  unit("proc-m.mount", kFile);
  unit("a.service", "[Unit]\nRequiresMountsFor=/proc/m\n[Service]\nExecStart=/a\n");
  boot();
  ask("a.service", "start");
  exit(control_pid("proc-m.mount"), CLD_EXITED, 32);
  EXPECT_EQ(state_of("proc-m.mount"), "failed/failed");
  EXPECT_EQ(result_of("proc-m.mount"), "exit-code");
  EXPECT_EQ(state_of("a.service"), "not loaded");
  EXPECT_TRUE(logs_.has("Failed to mount proc-m.mount - /proc/m."));
}

TEST_F(ManagerMounts, AFileThatComesLaterBindsThoseThatAreThere) {
  mounted("");
  unit("a.service", "[Unit]\nRequiresMountsFor=/proc/m\n[Service]\nExecStart=/a\n");
  unit("default.target", "[Unit]\nWants=a.service\n");
  boot();
  unit("proc-m.mount", kFile);
  ASSERT_TRUE(manager_->reload());
  settle();
  EXPECT_THAT(required("a.service"), Contains("proc-m.mount"));
}

TEST_F(ManagerMounts, TheRootCannotBeStopped) {
  mounted("");
  boot_with_clients();
  EXPECT_FALSE(manager_->enqueue_job("-.mount", "stop", "replace"));
  EXPECT_TRUE(Manager::is_perpetual(*manager_->find_unit("-.mount")));
}

TEST_F(ManagerMounts, ANewManagerFindsWhatIsMountedAndWhatIsUnderWay) {
  mounted(kLine);
  unit("proc-m.mount", kFile);
  unit("proc-n.mount", kFile);
  unit("default.target", "[Unit]\nWants=proc-m.mount\n");
  boot();
  ask("proc-m.mount", "stop");
  exit(control_pid("proc-m.mount"), CLD_EXITED, 32);
  EXPECT_EQ(state_of("proc-m.mount"), "active/mounted");
  ask("proc-n.mount", "start");
  const pid_t pid = control_pid("proc-n.mount");
  tree_.add_file("/proc/self/mountinfo", "4 1 0:4 / /proc/n rw - tmpfs tmpfs rw\n");
  restart_manager();
  // What has gone meanwhile is not mounted any more.
  EXPECT_EQ(state_of("proc-n.mount"), "activating/mounting-done");
  exit(pid, CLD_EXITED, 0);
  EXPECT_EQ(state_of("proc-n.mount"), "active/mounted");
  const Unit* gone = manager_->find_unit("proc-m.mount");
  EXPECT_TRUE(gone == nullptr || !gone->is_active_or_activating());
}

TEST_F(ManagerMounts, WhatStaysMountedDoesNotHoldUpTheEnd) {
  mounted("");
  unit("a.service", "[Service]\nExecStart=/a\n");
  unit("default.target", "[Unit]\nWants=a.service\n");
  boot_with_clients();
  manager_->exit(0);
  settle();
  exit(main_pid("a.service"), CLD_KILLED, SIGTERM);
  for (int i = 0; i < 3 && !finished_; ++i) {
    const Unit* data = manager_->find_unit("data.mount");
    if (data != nullptr && data->control_pid() != 0) exit(data->control_pid(), CLD_EXITED, 32);
  }
  EXPECT_TRUE(finished_.has_value());
}

}  // namespace
}  // namespace flotilla::init
