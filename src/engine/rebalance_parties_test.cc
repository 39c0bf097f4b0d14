// Units that follow each other move together.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/parties.h"
#include "engine/rebalance_fixture.h"

namespace flotilla::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> parties(const std::map<std::string, std::string>& followed_by_name) {
  WishLedger::Wants wants;
  std::vector<std::string> units;
  for (const auto& [name, peer] : followed_by_name) {
    if (!peer.empty()) wants[name].peers.push_back(peer);
    wants[name];
    units.push_back(name);
  }
  std::vector<std::string> lines;
  for (const Party& party : parties_among(units, wants)) {
    std::string line;
    for (size_t i = 0; i < party.units.size(); ++i) {
      line += (i == 0 ? "" : " ") + party.units[i] + (party.is_followed[i] ? "*" : "");
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(Parties, AreWhoFollowsAndWhoIsFollowed) {
  EXPECT_THAT(parties({}), IsEmpty());
  EXPECT_THAT(parties({{"a", ""}, {"b", "elsewhere"}}), IsEmpty());
  EXPECT_THAT(parties({{"a", "z"}, {"b", "z"}, {"c", ""}, {"z", ""}}), ElementsAre("z* a b"));
  EXPECT_THAT(parties({{"a", "b"}, {"b", "c"}, {"c", ""}, {"d", "e"}, {"e", ""}}),
              ElementsAre("c* b* a", "e* d"));
  EXPECT_THAT(parties({{"a", "d*"}, {"d1", ""}, {"d2", ""}, {"e", "e*"}}),
              ElementsAre("d1* d2* a"));
  EXPECT_THAT(parties({{"a", "b"}, {"b", "a"}}), ElementsAre("a* b*"));
}

class RebalancePartiesTest : public RebalanceFixture {
 protected:
  // A leader with two followers on m1, beside something else, and a machine that has nothing.
  void SetUp() override {
    machine("m1");
    machine("m2");
    unit("db.service", "m1");
    unit("web.service", "m1", {{"MachineOf", "db.service"}});
    unit("log.service", "m1", {{"MachineOf", "db.*"}});
    for (const char* name : {"x1.service", "x2.service", "x3.service", "x4.service"}) {
      unit(name, "m1", {{"MachineID", "m1"}});
    }
  }
};

TEST_F(RebalancePartiesTest, FollowersGoWithWhomTheyFollow) {
  EXPECT_THAT(plan(), ElementsAre("db.service m1 m2", "log.service m1 m2", "web.service m1 m2"));
  const auto moves = plan_rebalance(cluster);
  EXPECT_EQ(moves[0].why, "its machine has a load of 7, the other of 0");
  EXPECT_EQ(moves[1].why, "it goes with db.service");
  EXPECT_FALSE(moves[0].goes_with_last);
  EXPECT_TRUE(moves[1].goes_with_last);
  EXPECT_TRUE(moves[2].goes_with_last);
}

TEST_F(RebalancePartiesTest, AllStayWhereOneOfThemCannotGo) {
  unit("web.service", "m1", {{"MachineOf", "db.service"}, {"Conflicts", "there.service"}});
  unit("there.service", "m2", {{"Weight", "1"}});
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, AllStayWhereTheyWouldOnlyChangePlaces) {
  for (const char* name : {"x1.service", "x2.service", "x3.service", "x4.service"}) {
    cluster.schedule.erase(name);
    cluster.units.erase(name);
  }
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, AllStayWhereOneMayNotBeMoved) {
  unit("web.service", "m1", {{"MachineOf", "db.service"}});
  cluster.units["web.service"].options.push_back({"Service", "Type", "oneshot"});
  cluster.units["web.service"].hash = unit::hash_hex(cluster.units["web.service"].options);
  cluster.schedule["web.service"]["m1"].hash = cluster.units["web.service"].hash;
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, WhoIsFollowedAndMustStopFirstStays) {
  unit("db.service", "m1", {{"OnPartition", "stop"}});
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, AFollowerThatMustStopFirstComesAfter) {
  unit("web.service", "m1", {{"MachineOf", "db.service"}, {"OnPartition", "stop"}});
  for (const char* name : {"db.service", "log.service", "web.service"}) runs(name, "m1");
  begin();
  EXPECT_EQ(cluster.schedule.at("db.service").size(), 2u);
  EXPECT_FALSE(cluster.schedule.contains("web.service"));
  EXPECT_THAT(decisions(), IsEmpty());
  cluster.states.erase("web.service");
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit web.service m2"));
}

TEST_F(RebalancePartiesTest, WhomAGlobalFollowsStays) {
  unit("agent.service", "", {{"Global", "true"}, {"MachineOf", "db.*"}});
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, AWishOfOneIsMetWhereNoneLosesByIt) {
  machine("m1", {{"disk", "hdd"}});
  machine("m2", {{"disk", "ssd"}});
  for (const char* name : {"y1.service", "y2.service", "y3.service", "y4.service", "y5.service"}) {
    unit(name, "m2", {{"MachineID", "m2"}});
  }
  unit("web.service", "m1", {{"MachineOf", "db.service"}, {"Prefer", "disk=ssd"}});
  EXPECT_THAT(plan(), ElementsAre("db.service m1 m2", "log.service m1 m2", "web.service m1 m2"));
  const auto moves = plan_rebalance(cluster);
  EXPECT_EQ(moves[0].why, "it goes with web.service");
  EXPECT_EQ(moves[2].why, "meets 1 of 1 preferences instead of 0");
  unit("log.service", "m1", {{"MachineOf", "db.*"}, {"Prefer", "disk=hdd"}});
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, TheyRunAtTheNewPlaceBeforeTheyLeaveTheOldOne) {
  for (const char* name : {"db.service", "log.service", "web.service"}) runs(name, "m1");
  begin();
  EXPECT_THAT(decisions(), IsEmpty());
  for (const char* name : {"web.service", "db.service", "log.service"}) {
    runs(name, "m2");
    EXPECT_THAT(decisions(), ElementsAre(fmt::format("UnscheduleUnit {} m1", name)));
  }
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_THAT(plan(), IsEmpty());
}

TEST_F(RebalancePartiesTest, WhenTheOneTheyFollowFailsThereAllStay) {
  for (const char* name : {"db.service", "log.service", "web.service"}) runs(name, "m1");
  begin();
  runs("db.service", "m2");
  cluster.states["db.service"]["m2"].active_state = "failed";
  while (!decisions().empty()) {
  }
  for (const char* name : {"db.service", "log.service", "web.service"}) {
    EXPECT_EQ(cluster.schedule.at(name).size(), 1u) << name;
    EXPECT_TRUE(cluster.schedule.at(name).contains("m1")) << name;
  }
}

TEST_F(RebalancePartiesTest, AFollowerThatFailsThereIsStillWithWhomItFollows) {
  for (const char* name : {"db.service", "log.service", "web.service"}) runs(name, "m1");
  begin();
  for (const char* name : {"db.service", "log.service", "web.service"}) runs(name, "m2");
  cluster.states["web.service"]["m2"].active_state = "failed";
  for (int pass = 0; !decisions().empty(); ++pass) ASSERT_LT(pass, 10);
  for (const char* name : {"db.service", "log.service", "web.service"}) {
    EXPECT_EQ(cluster.schedule.at(name).size(), 1u) << name;
    EXPECT_TRUE(cluster.schedule.at(name).contains("m2")) << name;
  }
}

TEST_F(RebalancePartiesTest, ATransactionHasAllOfAPartyOrNone) {
  for (int i = 0; i < 200; ++i) {
    unit(fmt::format("p{:03}.service", i), "m1");
    unit(fmt::format("q{:03}.service", i), "m1", {{"MachineOf", fmt::format("p{:03}.service", i)}});
  }
  const auto moves = plan_rebalance(cluster);
  EXPECT_GT(moves.size(), 100u);
  // Of 63 that would fit an odd one would be parted from its follower.
  const store::TxnRequest some = begin_moves(cluster, keys, moves, 7);
  const size_t begun = some.compares.size() - 1;
  EXPECT_FALSE(moves[begun].goes_with_last);
  EXPECT_LE(some.then_ops.size(), store::kMaxTxnOps);
}

}  // namespace
}  // namespace flotilla::engine
