#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/rebalance_fixture.h"

namespace flotilla::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using RebalanceTest = RebalanceFixture;

TEST_F(RebalanceTest, EvensOutWhatMachinesHave) {
  machine("m1");
  machine("m2");
  machine("m3");
  for (const char* name : {"a.service", "b.service", "c.service", "d.service", "e.service"}) {
    unit(name, "m1");
  }
  EXPECT_THAT(plan(), ElementsAre("a.service m1 m2", "b.service m1 m3", "c.service m1 m2"));
}

TEST_F(RebalanceTest, MovesNothingThatWouldOnlyChangePlaces) {
  machine("m1");
  machine("m2");
  EXPECT_THAT(plan(), IsEmpty());
  unit("a.service", "m1");
  EXPECT_THAT(plan(), IsEmpty());
  unit("b.service", "m1");
  unit("c.service", "m1", {{"Weight", "5"}});
  EXPECT_THAT(plan(), ElementsAre("c.service m1 m2"));
}

TEST_F(RebalanceTest, KeepsEveryRule) {
  machine("m1", {{"disk", "ssd"}});
  machine("m2");
  machine("m3", {{"fleet.cordon", "cordon"}});
  unit("a.service", "m1", {{"MachineMetadata", "disk=ssd"}});
  unit("b.service", "m1", {{"MachineID", "m1"}});
  unit("c.service", "m1", {{"MachineOf", "d.service"}});
  unit("d.service", "m1", {{"MachineID", "m1"}});
  unit("e.service", "m1", {{"Conflicts", "z.service"}});
  unit("f.service", "m1", {{"Prefer", "disk=ssd"}});
  unit("g.service", "m1", {{"Replaces", "z.*"}});
  unit("z.service", "m2");
  EXPECT_THAT(plan(), IsEmpty());
  unit("h.service", "m1");
  EXPECT_THAT(plan(), ElementsAre("h.service m1 m2"));
}

TEST_F(RebalanceTest, WhatReplacesOthersGoesWhereItPushesNobodyOff) {
  machine("m1");
  machine("m2");
  machine("m3");
  for (const char* name : {"a.service", "b.service", "c.service"}) {
    unit(name, "m1", {{"Replaces", "old*"}});
  }
  unit("old.service", "m2", {{"Weight", "0"}});
  EXPECT_THAT(plan(), ElementsAre("a.service m1 m3"));
  unit("old.service", "m3", {{"Weight", "0"}, {"MachineOf", "pin.service"}});
  unit("pin.service", "m3", {{"Weight", "0"}});
  cluster.schedule["old.service"].erase("m2");
  EXPECT_THAT(plan(), ElementsAre("a.service m1 m2"));
}

TEST_F(RebalanceTest, WhatOthersReplaceDoesNotGoToThem) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1");
  unit("b.service", "m1");
  unit("c.service", "m2", {{"Replaces", "?.service"}, {"Weight", "0"}});
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalanceTest, WhatIsPreferredIsSoughtWhateverTheLoad) {
  machine("m1", {{"disk", "ssd"}});
  machine("m2", {{"disk", "hdd"}});
  unit("a.service", "m1");
  unit("b.service", "m1");
  unit("c.service", "m2", {{"Prefer", "disk=ssd"}});
  unit("d.service", "m2", {{"Prefer", "disk=hdd"}, {"Prefer", "zone=x"}});
  EXPECT_THAT(plan(), ElementsAre("c.service m2 m1", "a.service m1 m2"));
  EXPECT_EQ(plan_rebalance(cluster)[0].why, "meets 1 of 1 preferences instead of 0");
  EXPECT_EQ(plan_rebalance(cluster)[1].why, "its machine has a load of 3, the other of 1");
}

TEST_F(RebalanceTest, WhatIsPreferredIsNotGivenUpForTheLoad) {
  machine("m1", {{"disk", "ssd"}});
  machine("m2", {{"disk", "hdd"}});
  machine("m3", {{"disk", "ssd"}});
  for (const char* name : {"a.service", "b.service", "c.service"}) {
    unit(name, "m1", {{"Prefer", "disk=ssd"}});
  }
  EXPECT_THAT(plan(), ElementsAre("a.service m1 m3"));
}

TEST_F(RebalanceTest, WhatIsSpreadGoesWhereFewOfItsKindAre) {
  machine("m1", {{"zone", "a"}});
  machine("m2", {{"zone", "a"}});
  machine("m3", {{"zone", "b"}});
  for (const char* name : {"web@1.service", "web@2.service", "web@3.service"}) {
    unit(name, "m1", {{"Spread", "zone"}});
  }
  unit("web@4.service", "m2", {{"Spread", "zone"}});
  // Busy as it is: the wish counts for more than the load.
  for (const char* name : {"x1.service", "x2.service", "x3.service"}) {
    unit(name, "m3", {{"MachineID", "m3"}});
  }
  EXPECT_THAT(plan(), ElementsAre("web@1.service m1 m3", "web@2.service m1 m3"));
  EXPECT_EQ(plan_rebalance(cluster)[0].why, "zone=a has 4 units of web@.service, zone=b has 0");
}

TEST_F(RebalanceTest, WhatIsSpreadMovesForTheLoadWhereItStaysAsEven) {
  machine("m1", {{"zone", "a"}});
  machine("m2", {{"zone", "a"}});
  machine("m3", {{"zone", "b"}});
  for (const char* name : {"web@1.service", "web@2.service"}) {
    unit(name, "m1", {{"Spread", "zone"}});
  }
  for (const char* name : {"web@3.service", "web@4.service"}) {
    unit(name, "m3", {{"Spread", "zone"}});
  }
  EXPECT_THAT(plan(), ElementsAre("web@1.service m1 m2"));
  // One that asks for nothing is counted for the others of its template.
  unit("web@5.service", "m3");
  unit("web@6.service", "m3", {{"Weight", "5"}});
  EXPECT_THAT(plan(), testing::Contains("web@3.service m3 m2"));
}

TEST_F(RebalanceTest, AWishIsNotMetAtTheCostOfAnother) {
  machine("m1", {{"zone", "a"}, {"disk", "hdd"}});
  machine("m2", {{"zone", "b"}, {"disk", "ssd"}});
  unit("web@1.service", "m1", {{"Spread", "zone"}, {"Prefer", "disk=ssd"}});
  unit("web@2.service", "m2", {{"Spread", "zone"}, {"Prefer", "disk=ssd"}});
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalanceTest, MovesNothingTwice) {
  machine("m1", {{"disk", "ssd"}});
  machine("m2", {{"disk", "hdd"}});
  machine("m3", {{"disk", "ssd"}});
  for (int i = 0; i < 20; ++i) {
    unit(fmt::format("u{:02}.service", i), "m2", {{"Prefer", "disk=ssd"}});
  }
  std::set<std::string> moved;
  for (const registry::Move& move : plan_rebalance(cluster)) {
    EXPECT_TRUE(moved.insert(move.unit).second) << move.unit;
    cluster.schedule[move.unit].clear();
    cluster.schedule[move.unit][move.to] = schedule_entry_of(cluster.units.at(move.unit), move.to);
  }
  EXPECT_EQ(moved.size(), 20u);
  EXPECT_THAT(plan(), IsEmpty());
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(RebalanceTest, AUnitThatTwoCannotHaveTogetherGoesToOneOnly) {
  machine("m1");
  machine("m2");
  for (int i = 0; i < 6; ++i)
    unit("x" + std::to_string(i) + ".service", "m1", {{"Conflicts", "y*"}});
  unit("y.service", "m2", {{"Weight", "0"}});
  EXPECT_THAT(plan(), IsEmpty());
  unit("a.service", "m1", {{"MaxPerMachine", "1"}});
  EXPECT_THAT(plan(), ElementsAre("a.service m1 m2"));
}

TEST_F(RebalanceTest, AUnitRunsAtItsNewPlaceBeforeItIsTakenFromTheOldOne) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1");
  unit("b.service", "m1");
  for (const char* name : {"a.service", "b.service"}) runs(name, "m1");
  begin();
  EXPECT_EQ(cluster.schedule.at("a.service").size(), 2u);
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_THAT(plan(), IsEmpty()) << "it is on its way";
  runs("a.service", "m2");
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalanceTest, AUnitWhoseNewMachineDiesIsPlacedAgain) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1");
  unit("b.service", "m1");
  runs("a.service", "m1");
  begin();
  cluster.machines.erase("m2");
  decisions();
  EXPECT_TRUE(cluster.schedule.at("a.service").contains("m1"));
  EXPECT_EQ(cluster.schedule.at("a.service").size(), 1u);
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(RebalanceTest, AUnitWhoseNewMachineIsDrainedMeanwhileStays) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1");
  unit("b.service", "m1");
  runs("a.service", "m1");
  begin();
  machine("m2", {{"fleet.cordon", "drain"}});
  machine("m3");
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m2", "UpdateUnit a.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_THAT(plan(), ElementsAre("a.service m1 m3"));
}

TEST_F(RebalanceTest, AUnitThatFailsAtItsNewPlaceStaysAtTheOldOne) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1");
  unit("b.service", "m1");
  runs("a.service", "m1");
  begin();
  runs("a.service", "m2");
  cluster.states["a.service"]["m2"].active_state = "failed";
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m2", "UpdateUnit a.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(RebalanceTest, AUnitThatFailsAtBothPlacesStaysAtTheNewOne) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1");
  unit("b.service", "m1");
  runs("a.service", "m1");
  begin();
  runs("a.service", "m2");
  for (const char* at : {"m1", "m2"}) cluster.states["a.service"][at].active_state = "failed";
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(RebalanceTest, WhatMustNotRunTwiceIsTakenOffFirst) {
  machine("m1");
  machine("m2");
  unit("a.service", "m1", {{"OnPartition", "stop"}});
  unit("b.service", "m1");
  runs("a.service", "m1");
  begin();
  EXPECT_FALSE(cluster.schedule.contains("a.service"));
  EXPECT_THAT(decisions(), IsEmpty()) << "it may run there still";
  cluster.states.clear();
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit a.service m2"));
}

TEST_F(RebalanceTest, ATransactionHoldsWhileTheLeadAndTheEntriesAreAsTheyWere) {
  machine("m1");
  machine("m2");
  for (int i = 0; i < 300; ++i) unit(fmt::format("u{:03}.service", i), "m1");
  const auto moves = plan_rebalance(cluster);
  EXPECT_EQ(moves.size(), 150u);
  const store::TxnRequest some = begin_moves(cluster, keys, moves, 7);
  EXPECT_EQ(some.compares.size(), 64u);
  EXPECT_EQ(some.then_ops.size(), 126u);
  EXPECT_EQ(some.compares[0].key, "/a/leader");
  EXPECT_EQ(some.compares[1].key, "/a/schedule/m1/u000.service");
  const store::TxnRequest none = begin_moves(cluster, keys, {}, 7);
  ASSERT_EQ(none.then_ops.size(), 1u);
  EXPECT_EQ(std::get<store::DeleteRangeOp>(none.then_ops[0]).key, "/a/rebalance");
}

}  // namespace
}  // namespace flotilla::engine
