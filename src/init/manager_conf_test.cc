#include "init/manager_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file_tree.h"
#include "init/unit_loader.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ManagerConfTest : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(tree_.write_atomic(path, text, 0644));
  }
  ManagerConf read(ManagerScope scope = ManagerScope::kSystem) {
    return read_manager_conf(tree_, scope, unit::HostValues::of_system_manager());
  }
  UnitSettings load(const std::string& name) {
    UnitLoaderOptions options;
    options.directories = {{"/etc/systemd/system", &tree_}};
    options.host = unit::HostValues::of_system_manager();
    UnitLoader loader(std::move(options));
    loader.set_defaults(read().unit_defaults);
    return loader.load(*unit::UnitName::parse(name));
  }

  base::MemoryFileTree tree_;
};

TEST_F(ManagerConfTest, SaysNothingWhereThereIsNoFile) {
  const ManagerConf conf = read();
  EXPECT_THAT(conf.unit_defaults, IsEmpty());
  EXPECT_THAT(conf.default_environment, IsEmpty());
  EXPECT_THAT(conf.warnings, IsEmpty());
  EXPECT_EQ(conf.log_level, -1);
}

TEST_F(ManagerConfTest, ReadsWhatIsOnlyShown) {
  EXPECT_EQ(read().shown.timer_accuracy, std::chrono::minutes(1));
  EXPECT_EQ(read().shown.reboot_watchdog, std::chrono::minutes(10));
  EXPECT_EQ(read().shown.ctrl_alt_del_burst, EmergencyAction::kRebootForce);
  put("/etc/systemd/system.conf",
      "[Manager]\nDefaultTimerAccuracySec=2\nDefaultDeviceTimeoutSec=3\nRebootWatchdogSec=4\n"
      "CtrlAltDelBurstAction=none\n");
  const ManagerConf conf = read();
  EXPECT_EQ(conf.shown.timer_accuracy, std::chrono::seconds(2));
  EXPECT_EQ(conf.shown.device_timeout, std::chrono::seconds(3));
  EXPECT_EQ(conf.shown.reboot_watchdog, std::chrono::seconds(4));
  EXPECT_EQ(conf.shown.ctrl_alt_del_burst, EmergencyAction::kNone);
  EXPECT_THAT(conf.warnings, IsEmpty());
}

TEST_F(ManagerConfTest, DefaultsStandFirstInEveryUnitTheyAreFor) {
  put("/etc/systemd/system.conf",
      "[Manager]\nDefaultTimeoutStartSec=11\nDefaultTimeoutStopSec=12\nDefaultTimeoutAbortSec=13\n"
      "DefaultRestartSec=250ms\nDefaultStartLimitBurst=15\nDefaultLimitNOFILE=2000:3000\n"
      "DefaultStandardOutput=null\nDefaultOOMScoreAdjust=7\nDefaultMemoryAccounting=no\n");
  put("/usr/lib/systemd/system.conf.d/2.conf", "[Manager]\nDefaultStartLimitBurst=16\n");
  put("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/a\nTimeoutStopSec=5\n");
  put("/etc/systemd/system/once.service", "[Service]\nType=oneshot\nExecStart=/bin/a\n");
  const UnitSettings a = load("a.service");
  EXPECT_THAT(a.extras->warnings, IsEmpty());
  EXPECT_EQ(a.service->timeout_start, Micros(11'000'000));
  EXPECT_EQ(a.service->timeout_stop, Micros(5'000'000));
  EXPECT_EQ(a.service->timeout_abort, Micros(13'000'000));
  EXPECT_EQ(a.service->restart_sec, Micros(250'000));
  EXPECT_EQ(a.limits->start_burst, 16u);
  EXPECT_EQ(a.exec->limits[RLIMIT_NOFILE]->rlim_cur, 2000u);
  EXPECT_EQ(a.exec->standard_output.kind, StreamSetting::Kind::kNull);
  EXPECT_EQ(a.exec->oom_score_adjust, 7);
  put("/etc/systemd/system/srv-x.mount", "[Mount]\nWhat=tmpfs\nWhere=/srv/x\n");
  EXPECT_EQ(load("srv-x.mount").service->timeout_start, Micros(11'000'000));
  // Who runs once may take as long as it takes.
  EXPECT_EQ(load("once.service").service->timeout_start, kInfinity);
}

TEST_F(ManagerConfTest, ReadsTheEnvironmentAndTheManagersOwnSettings) {
  put("/etc/systemd/system.conf",
      "[Manager]\nDefaultEnvironment=A=1 \"B=two words\" bad\nManagerEnvironment=C=%%\n"
      "LogLevel=debug\n");
  put("/run/systemd/system.conf.d/1.conf", "[Manager]\nDefaultEnvironment=A=2\n");
  const ManagerConf conf = read();
  EXPECT_THAT(conf.default_environment, ElementsAre("A=2", "B=two words"));
  EXPECT_THAT(conf.manager_environment, ElementsAre("C=%"));
  EXPECT_EQ(conf.log_level, 7);
  EXPECT_THAT(conf.warnings, ElementsAre("/etc/systemd/system.conf:2: Invalid environment "
                                         "assignment, ignoring: bad"));
}

TEST_F(ManagerConfTest, TellsWhatItDoesNotDoAndWhatItDoesNotKnow) {
  put("/etc/systemd/system.conf", "[Manager]\nStatusUnitFormat=name\nNonsense=1\n[Other]\nA=b\n");
  EXPECT_THAT(read().warnings,
              ElementsAre("/etc/systemd/system.conf:2: StatusUnitFormat= has no effect here.",
                          "/etc/systemd/system.conf:3: Unknown key name 'Nonsense' in section "
                          "'Manager', ignoring.",
                          "/etc/systemd/system.conf:5: Unknown section 'Other'. Ignoring."));
}

TEST_F(ManagerConfTest, AUserManagerHasAFileOfItsOwn) {
  put("/etc/systemd/system.conf", "[Manager]\nLogLevel=debug\n");
  put("/etc/systemd/user.conf", "[Manager]\nLogLevel=3\n");
  EXPECT_EQ(read(ManagerScope::kUser).log_level, 3);
}

}  // namespace
}  // namespace flotilla::init
