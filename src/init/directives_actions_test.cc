#include <gtest/gtest.h>

#include "base/memory_file_tree.h"
#include "init/unit_actions.h"
#include "init/unit_loader.h"

namespace flotilla::init {
namespace {

class Actions : public ::testing::Test {
 protected:
  UnitSettings load(const std::string& text, ManagerScope scope = ManagerScope::kSystem) {
    base::MemoryFileTree tree;
    EXPECT_TRUE(tree.make_directories("/etc/systemd/system", 0755));
    tree.add_file("/etc/systemd/system/a.service", text);
    UnitLoaderOptions options;
    options.directories = {{"/etc/systemd/system", &tree}};
    options.host = unit::HostValues::of_system_manager();
    options.scope = scope;
    return UnitLoader(std::move(options)).load(*unit::UnitName::parse("a.service"));
  }
};

TEST_F(Actions, AreReadFromUnitAndOldOnesFromService) {
  const UnitSettings settings = load(
      "[Unit]\nFailureAction=reboot-force\nFailureActionExitStatus=7\nJobTimeoutAction=poweroff\n"
      "JobTimeoutRebootArgument=%p x\nSuccessAction=exit\nSuccessActionExitStatus=300\n"
      "OnFailureJobMode=isolate\nOnSuccessJobMode=flush\n"
      "[Service]\nStartLimitAction=exit-force\nRebootArgument=r\nExecStart=/bin/a\n");
  const UnitActions& actions = *settings.extras->actions;
  EXPECT_EQ(actions.failure, EmergencyAction::kRebootForce);
  EXPECT_EQ(actions.failure_exit_status, 7);
  EXPECT_EQ(actions.job_timeout, EmergencyAction::kPoweroff);
  EXPECT_EQ(actions.job_timeout_reboot_argument, "a x");
  EXPECT_EQ(actions.success, EmergencyAction::kExit);
  EXPECT_EQ(actions.success_exit_status, std::nullopt);
  EXPECT_EQ(actions.start_limit, EmergencyAction::kExitForce);
  EXPECT_EQ(actions.reboot_argument, "r");
  EXPECT_EQ(settings.on_failure_job_mode, JobMode::kIsolate);
  EXPECT_EQ(settings.on_success_job_mode, JobMode::kFlush);
  EXPECT_EQ(settings.extras->warnings.size(), 1u);
}

TEST_F(Actions, CostAPlainUnitNothing) {
  const UnitSettings settings = load("[Service]\nExecStart=/bin/a\n");
  EXPECT_FALSE(settings.extras->actions.is_set());
  EXPECT_EQ(settings.on_failure_job_mode, JobMode::kReplace);
  EXPECT_EQ(settings.on_success_job_mode, JobMode::kFail);
}

TEST_F(Actions, OfTheMachineAreNotForUserManagers) {
  const UnitSettings settings =
      load("[Unit]\nFailureAction=reboot\nSuccessAction=exit\n[Service]\nExecStart=/bin/a\n",
           ManagerScope::kUser);
  EXPECT_EQ(settings.extras->actions->failure, EmergencyAction::kNone);
  EXPECT_EQ(settings.extras->actions->success, EmergencyAction::kExit);
}

TEST_F(Actions, OldNameOfIsolateStillCounts) {
  const UnitSettings settings =
      load("[Unit]\nOnFailureIsolate=yes\nOnFailure=b.service\n[Service]\nExecStart=/bin/a\n");
  EXPECT_EQ(settings.on_failure_job_mode, JobMode::kIsolate);
  EXPECT_EQ(settings.load_state, LoadState::kLoaded);
}

TEST_F(Actions, OnlyOneUnitCanBeIsolated) {
  const UnitSettings settings = load(
      "[Unit]\nOnFailureJobMode=isolate\nOnFailure=b.service c.service\n"
      "[Service]\nExecStart=/bin/a\n");
  EXPECT_EQ(settings.load_state, LoadState::kBadSetting);
}

TEST_F(Actions, AServiceMayConsistOfNothingElse) {
  EXPECT_EQ(load("[Unit]\nSuccessAction=exit-force\n").load_state, LoadState::kLoaded);
  EXPECT_EQ(load("[Unit]\nFailureAction=exit-force\n").load_state, LoadState::kBadSetting);
}

TEST_F(Actions, HaveNamesThatReadBack) {
  for (int i = 0; i <= static_cast<int>(EmergencyAction::kExitForce); ++i) {
    const auto action = static_cast<EmergencyAction>(i);
    EXPECT_EQ(parse_emergency_action(to_string(action)), action);
  }
  EXPECT_EQ(parse_emergency_action("explode"), std::nullopt);
}

}  // namespace
}  // namespace flotilla::init
