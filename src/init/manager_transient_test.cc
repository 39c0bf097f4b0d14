// Units and settings that come over the bus, on fakes.
#include <gmock/gmock.h>

#include "init/manager_fixture.h"
#include "init/property_text.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;

class TransientTest : public ManagerTest {
 protected:
  static PropertyText line(const std::string& section, const std::string& name,
                           const std::string& value) {
    return {section, name, {name + "=" + value}, true, {}, {}};
  }
  static TransientUnit service(const std::string& name) {
    return {name,
            {line("Unit", "Description", "made"), line("Service", "ExecStart", "/bin/sleep 9")}};
  }
  base::Result<uint32_t> start(const TransientUnit& unit) {
    auto job = manager_->start_transient({unit}, "fail");
    settle();
    return job;
  }
};

TEST_F(TransientTest, RunsIsShownAndIsForgottenWithItsFileWhenItIsOver) {
  boot();
  ASSERT_TRUE(start(service("t.service")));
  EXPECT_EQ(state_of("t.service"), "active/running");
  const Unit* unit = manager_->find_unit("t.service");
  EXPECT_TRUE(unit->transient);
  EXPECT_EQ(unit->description(), "made");
  EXPECT_EQ(unit->settings.fragment_path(), "/run/systemd/transient/t.service");
  ASSERT_TRUE(manager_->set_properties("t.service", true, {line("Unit", "Description", "new")}));
  EXPECT_EQ(manager_->find_unit("t.service")->description(), "new");
  EXPECT_TRUE(tree_.stat("/run/systemd/transient/t.service.d/50-Description.conf"));
  exit(main_pid("t.service"), CLD_EXITED, 0);
  EXPECT_EQ(state_of("t.service"), "not loaded");
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/t.service"));
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/t.service.d"));
  ASSERT_TRUE(start(service("t.service")));
}

TEST_F(TransientTest, SurvivesAReloadAndANewManager) {
  boot();
  ASSERT_TRUE(start(service("t.service")));
  const pid_t pid = main_pid("t.service");
  ASSERT_TRUE(manager_->reload());
  settle();
  EXPECT_EQ(main_pid("t.service"), pid);
  tree_.add_file("/run/systemd/transient/left.service", "[Service]\nExecStart=/bin/true\n");
  restart_manager();
  EXPECT_EQ(state_of("t.service"), "active/running");
  EXPECT_TRUE(manager_->find_unit("t.service")->transient);
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/left.service"));
  exit(pid, CLD_EXITED, 0);
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/t.service"));
}

TEST_F(TransientTest, WhatLayThereBeforeTheBootIsNoUnit) {
  tree_.add_file("/run/systemd/transient/old.service", "[Service]\nExecStart=/bin/true\n");
  tree_.add_file("/run/systemd/transient/a.service.d/50-x.conf", "[Unit]\nDescription=Old\n");
  unit("a.service", "[Service]\nExecStart=/bin/true\n");
  boot();
  ask("a.service", "start");
  EXPECT_EQ(manager_->find_unit("a.service")->settings.extras->drop_in_paths.size(), 0u);
  EXPECT_EQ(manager_->load_unit("old.service").value()->load_state(), "not-found");
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/old.service"));
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/a.service.d"));
}

TEST_F(TransientTest, WhatExistsOrCannotBeIsRefusedAndLeavesNothing) {
  unit("a.service", "[Service]\nExecStart=/bin/true\n");
  boot();
  EXPECT_EQ(start(service("a.service")).error().message,
            "Unit a.service was already loaded or has a fragment file.");
  EXPECT_EQ(start({"t.target", {}}).error().message,
            "Unit type target does not support transient units.");
  EXPECT_EQ(start({"e.service", {}}).error().bus_name, "org.freedesktop.systemd1.BadUnitSetting");
  EXPECT_FALSE(tree_.stat("/run/systemd/transient/e.service"));
  EXPECT_TRUE(start(service("e.service")));
}

TEST_F(TransientTest, SettingsOfAnotherUnitAreKeptAsDropIns) {
  unit("a.service", "[Service]\nExecStart=/bin/true\n");
  boot();
  ask("a.service", "start");
  const pid_t pid = main_pid("a.service");
  ASSERT_TRUE(manager_->set_properties("a.service", true, {line("Unit", "Description", "new")}));
  EXPECT_EQ(manager_->find_unit("a.service")->description(), "new");
  EXPECT_EQ(main_pid("a.service"), pid);
  EXPECT_FALSE(manager_->need_daemon_reload(*manager_->find_unit("a.service")));
  EXPECT_TRUE(tree_.stat("/run/systemd/system.control/a.service.d/50-Description.conf"));
  EXPECT_FALSE(manager_->set_properties("no.service", true, {line("Unit", "Description", "x")}));
}

TEST_F(TransientTest, DevicesAreAddedToThoseGivenBefore) {
  unit("a.service", "[Service]\nExecStart=/bin/true\n");
  boot();
  const auto allow = [&](const std::string& value) {
    ASSERT_TRUE(
        manager_->set_properties("a.service", true, {line("Service", "DeviceAllow", value)}));
  };
  const auto text = [&] {
    const auto bytes =
        tree_.read("/run/systemd/system.control/a.service.d/50-DeviceAllow.conf", 4096);
    return bytes ? bytes->substr(bytes->find("[Service]")) : std::string();
  };
  allow("/dev/null rw");
  allow("/dev/zero r");
  allow("/dev/null r");
  EXPECT_EQ(text(),
            "[Service]\nDeviceAllow=\nDeviceAllow=/dev/null r\nDeviceAllow=/dev/zero r\n\n");
  allow("");
  EXPECT_EQ(text(), "[Service]\nDeviceAllow=\n\n");
}

TEST_F(TransientTest, DevicesOfTheUnitFileStayBesideTheNewOnes) {
  unit("a.service", "[Service]\nExecStart=/bin/true\nDeviceAllow=/dev/null rw\n");
  boot();
  ASSERT_TRUE(
      manager_->set_properties("a.service", true, {line("Service", "DeviceAllow", "/dev/zero r")}));
  EXPECT_EQ(manager_->find_unit("a.service")->settings.extras->cgroup->device_allow.size(), 2U);
}

TEST_F(TransientTest, AChangedPropertyIsAllThatChanges) {
  unit("a.service", "[Unit]\nWants=b.service\n[Service]\nExecStart=/bin/true\n");
  boot();
  ask("a.service", "start");
  unit("a.service", "[Unit]\nDescription=later\n[Service]\nExecStart=/bin/true\n");
  PropertyText share = line("Service", "MemoryHigh", "12.50%");
  share.rounded = {"MemoryHigh=12%"};
  ASSERT_TRUE(manager_->set_properties("a.service", true, {share}));
  ASSERT_TRUE(manager_->set_properties("a.service", true, {line("Service", "CPUWeight", "7")}));
  const Unit& unit = *manager_->find_unit("a.service");
  EXPECT_EQ(unit.description(), "a.service");
  EXPECT_EQ(unit.settings.extras->cgroup->cpu_weight, 7U);
  const std::string directory = "/run/systemd/system.control/a.service.d/";
  EXPECT_THAT(unit.settings.extras->drop_in_paths,
              ElementsAre(directory + "50-MemoryHigh.conf", directory + "50-CPUWeight.conf"));
  // As the files stand there they would be read in another order.
  EXPECT_TRUE(manager_->need_daemon_reload(unit));
  EXPECT_NE(tree_.read(directory + "50-MemoryHigh.conf", 4096)->find("\nMemoryHigh=12%\n"),
            std::string::npos);
  ASSERT_TRUE(manager_->reload());
  EXPECT_EQ(manager_->find_unit("a.service")->description(), "later");
}

TEST_F(TransientTest, AShareHasAFileOfItsOwnAndTheLastWordCounts) {
  unit("a.service", "[Service]\nExecStart=/bin/true\n");
  boot();
  PropertyText share = line("Service", "MemoryHigh", "20%");
  share.name = "MemoryHighScale";
  ASSERT_TRUE(manager_->set_properties("a.service", true, {share}));
  const std::string directory = "/run/systemd/system.control/a.service.d/";
  EXPECT_TRUE(tree_.stat(directory + "50-MemoryHighScale.conf"));
  ASSERT_TRUE(manager_->set_properties("a.service", true, {line("Service", "MemoryHigh", "30M")}));
  EXPECT_TRUE(tree_.stat(directory + "50-MemoryHigh.conf"));
  EXPECT_EQ(manager_->find_unit("a.service")->settings.extras->cgroup->memory_high, 30U << 20);
}

TEST_F(TransientTest, AScopeTakesProcessesInAndEndsWithTheLast) {
  boot();
  EXPECT_EQ(start({"s.scope", {}}).error().bus_name, "org.freedesktop.DBus.Error.FileNotFound");
  PropertyText pids;
  pids.pids = {4711};
  EXPECT_EQ(start({"s.scope", {pids}}).error().message, "Process with ID 4711 does not exist.");
  processes_.foreign.insert(4711);
  ASSERT_TRUE(start({"s.scope", {line("Unit", "Description", "made"), pids}}));
  EXPECT_EQ(state_of("s.scope"), "active/running");
  EXPECT_FALSE(manager_->abandon_scope("a.scope"));
  EXPECT_FALSE(manager_->abandon_scope("system.slice"));
  ASSERT_TRUE(manager_->abandon_scope("s.scope"));
  EXPECT_EQ(state_of("s.scope"), "active/abandoned");
  restart_manager();
  EXPECT_EQ(state_of("s.scope"), "active/abandoned");
  ask("s.scope", "stop");
  EXPECT_EQ(state_of("s.scope"), "deactivating/stop-sigterm");
  exit(4711, CLD_KILLED, SIGTERM);
  EXPECT_EQ(state_of("s.scope"), "not loaded");
}

}  // namespace
}  // namespace flotilla::init
