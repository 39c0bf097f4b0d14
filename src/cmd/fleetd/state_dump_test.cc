#include "cmd/fleetd/state_dump.h"

#include <gtest/gtest.h>

namespace flotilla::fleetd {
namespace {

TEST(StateDump, IsTheLineThatFleetPrints) {
  agent::LocalUnit unit;
  unit.hash = "7dc08eb00f0c705e84a61e030d98e8cc3c994954";
  unit.reached = registry::TargetState::kLaunched;
  unit.state.load_state = "loaded";
  unit.state.active_state = "active";
  unit.state.sub_state = "running";
  EXPECT_EQ(state_dump("m1", {{"u.service", unit}}, {}),
            R"({"Agent":{"Cache":{"TargetStates":{"u.service":"launched"}}},)"
            R"("UnitStatePublisher":{"Cache":{"u.service":{"LoadState":"loaded",)"
            R"("ActiveState":"active","SubState":"running","MachineID":"m1",)"
            R"("UnitHash":"7dc08eb00f0c705e84a61e030d98e8cc3c994954","UnitName":""}},)"
            R"("ToPublish":{}},"UnitStateGenerator":{"Subscribed":["u.service"]}})");
  EXPECT_EQ(state_dump("m1", {}, {}),
            R"({"Agent":{"Cache":{"TargetStates":{}}},"UnitStatePublisher":{"Cache":{},)"
            R"("ToPublish":{}},"UnitStateGenerator":{"Subscribed":[]}})");
}

TEST(StateDump, ShowsWhereWhatIsScheduledIsNotWhatIsThere) {
  const agent::Difference difference{registry::TargetState::kLaunched,
                                     registry::TargetState::kInactive, false, "no such file"};
  EXPECT_NE(state_dump("m1", {}, {{"u.service", difference}})
                .find(R"("Differences":{"u.service":{"Wanted":"launched","Reached":"inactive",)"
                      R"("Text":"same","Problem":"no such file"}}})"),
            std::string::npos);
}

}  // namespace
}  // namespace flotilla::fleetd
