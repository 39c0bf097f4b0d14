#include "init/exit_code.h"

#include <gtest/gtest.h>

#include "init/unit_state.h"

namespace flotilla::init {
namespace {

TEST(ExitCode, StagesEndInSystemdsCodes) {
  EXPECT_EQ(exit_code_of(SpawnStage::kExec), ExitCode::kExec);
  EXPECT_EQ(exit_code_of(SpawnStage::kUser), ExitCode::kUser);
  EXPECT_EQ(exit_code_of(SpawnStage::kStdin), ExitCode::kStdin);
  EXPECT_EQ(exit_code_of(SpawnStage::kNoNewPrivileges), ExitCode::kNoNewPrivileges);
  EXPECT_EQ(describe(SpawnStage::kChdir), "changing the working directory");
}

TEST(ExitCode, NamesAreThoseOfSystemctl) {
  EXPECT_EQ(exit_code_name(203), "EXEC");
  EXPECT_EQ(exit_code_name(217), "USER");
  EXPECT_EQ(exit_code_name(0), "SUCCESS");
  EXPECT_EQ(exit_code_name(42), "n/a");
}

TEST(UnitState, NamesGoBothWaysAndBadNumbersHaveNone) {
  for (uint8_t i = 0; i <= static_cast<uint8_t>(ServiceSubState::kCleaning); ++i) {
    const auto state = static_cast<ServiceSubState>(i);
    EXPECT_EQ(parse_service_sub_state(to_string(state)), state);
  }
  EXPECT_EQ(to_string(ServiceSubState::kAutoRestart), "auto-restart");
  EXPECT_EQ(to_string(ActiveState::kMaintenance), "maintenance");
  EXPECT_EQ(to_string(ServiceResult::kStartLimitHit), "start-limit-hit");
  EXPECT_EQ(to_string(static_cast<ActiveState>(99)), "");
  EXPECT_EQ(parse_service_result("no-such"), std::nullopt);
  EXPECT_EQ(active_state_of(ServiceSubState::kAutoRestart), ActiveState::kActivating);
}

}  // namespace
}  // namespace flotilla::init
