#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/scheduler.h"

namespace flotilla::engine {
namespace {

using registry::TargetState;
using testing::ElementsAre;
using testing::IsEmpty;

struct ExplainTest : testing::Test {
  ExplainTest() {
    machine("m1", {{"ram", "8G"}});
    machine("m2", {{"ram", "32G"}});
  }
  void machine(const std::string& id, registry::Metadata metadata) {
    cluster.machines[id].id = id;
    cluster.machines[id].metadata = std::move(metadata);
  }
  void unit(const std::string& name, const std::string& fleet, const std::string& on = {},
            TargetState desired = TargetState::kLaunched) {
    registry::Unit& made = cluster.units[name];
    made.name = name;
    made.options = *unit::parse_fleet_file("[Service]\nExecStart=/x\n[X-Fleet]\n" + fleet);
    made.hash = unit::hash_hex(made.options);
    made.desired = desired;
    if (!on.empty()) cluster.schedule[name][on] = schedule_entry_of(made, on);
  }
  std::vector<std::string> of(const std::string& name) {
    std::vector<std::string> lines;
    for (const Verdict& verdict : explain(cluster, name)) {
      lines.push_back(verdict.machine + ": " +
                      (verdict.why_not.empty() ? "eligible" : verdict.why_not));
    }
    return lines;
  }

  registry::Cluster cluster;
};

TEST_F(ExplainTest, NamesTheMetadataThatAreWrong) {
  unit("a.service", "MachineMetadata=ram>=16G");
  EXPECT_THAT(of("a.service"), ElementsAre("m1: local Machine metadata insufficient: wants "
                                           "ram>=16G, the machine has ram=8G",
                                           "m2: eligible"));
}

TEST_F(ExplainTest, NamesUnitsThatAreInTheWay) {
  unit("a.service", "Conflicts=b.*", "m2");
  unit("b.service", "");
  EXPECT_THAT(
      of("b.service"),
      ElementsAre("m1: eligible", "m2: found conflict with locally-scheduled Unit([a.service])"));
  unit("c.service", "MachineOf=a.service");
  EXPECT_THAT(
      of("c.service"),
      ElementsAre("m1: required peer Unit(a.service) is not scheduled locally", "m2: eligible"));
}

TEST_F(ExplainTest, AUnitIsNotInItsOwnWay) {
  unit("a@1.service", "Conflicts=a@*", "m1");
  EXPECT_THAT(of("a@1.service"), ElementsAre("m1: eligible", "m2: eligible"));
}

TEST_F(ExplainTest, KnowsGlobalsTemplatesAndUnitsThatAreNotToRunYet) {
  unit("g.service", "Global=true\nMachineMetadata=ram<16G");
  EXPECT_THAT(of("g.service"),
              ElementsAre("m1: eligible",
                          "m2: local Machine metadata insufficient: wants ram<16G, "
                          "the machine has ram=32G"));
  unit("t@.service", "");
  EXPECT_THAT(of("t@.service"), ElementsAre("m1: unit is a template", "m2: unit is a template"));
  unit("i.service", "MachineID=m2", "", TargetState::kInactive);
  EXPECT_THAT(of("i.service"),
              ElementsAre("m1: agent ID \"m1\" does not match required \"m2\"", "m2: eligible"));
  EXPECT_THAT(of("none.service"), IsEmpty());
}

}  // namespace
}  // namespace flotilla::engine
