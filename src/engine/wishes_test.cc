// What goes beyond fleet's own scheduling: weights, limits, spreading, preferences, requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/scheduler.h"

namespace flotilla::engine {
namespace {

using registry::TargetState;
using testing::ElementsAre;
using testing::IsEmpty;

using Fleet = std::vector<std::pair<std::string, std::string>>;

struct WishesTest : testing::Test {
  void machine(const std::string& id, registry::Metadata metadata = {}, uint32_t cpus = 0,
               uint64_t memory = 0, uint64_t disk = 0) {
    registry::Machine& made = cluster.machines[id];
    made.id = id;
    made.metadata = std::move(metadata);
    made.cpus = cpus;
    made.memory_bytes = memory;
    made.disk_bytes = disk;
  }
  void unit(const std::string& name, const Fleet& fleet = {}, const std::string& on = "") {
    registry::Unit& made = cluster.units[name];
    made.name = name;
    made.options = {{"Service", "ExecStart", "/bin/x"}};
    for (const auto& [key, value] : fleet) made.options.push_back({"X-Fleet", key, value});
    made.hash = unit::hash_hex(made.options);
    made.desired = TargetState::kLaunched;
    if (!on.empty()) cluster.schedule[name][on] = schedule_entry_of(made, on);
  }
  void state(const std::string& name, const std::string& on) {
    cluster.states[name][on].name = name;
    cluster.states[name][on].machine = on;
  }
  std::vector<std::string> decisions() {
    std::vector<std::string> lines;
    for (const Decision& d : decide(cluster)) {
      lines.push_back(std::string(to_string(d.kind)) + " " + d.unit + " " + d.machine);
      reasons += d.reason + "\n";
    }
    apply_decisions(cluster, decide(cluster));
    return lines;
  }
  std::string why_not(const std::string& name, const std::string& id) {
    for (const Verdict& verdict : explain(cluster, name)) {
      if (verdict.machine == id) return verdict.why_not;
    }
    return "no such machine";
  }

  registry::Cluster cluster;
  std::string reasons;
};

TEST_F(WishesTest, AWeightCountsAsSoManyUnits) {
  machine("m1");
  machine("m2");
  unit("a.service", {{"Weight", "3"}}, "m1");
  unit("b.service");
  unit("c.service");
  unit("d.service");
  unit("e.service");
  EXPECT_THAT(decisions(),
              ElementsAre("AttemptScheduleUnit b.service m2", "AttemptScheduleUnit c.service m2",
                          "AttemptScheduleUnit d.service m2", "AttemptScheduleUnit e.service m1"));
}

TEST_F(WishesTest, AMachineTakesAtMostSoManyOfATemplate) {
  machine("m1");
  machine("m2");
  for (int i = 1; i <= 5; ++i) {
    unit("w@" + std::to_string(i) + ".service", {{"MaxPerMachine", "2"}});
  }
  EXPECT_EQ(decisions().size(), 4u);
  EXPECT_EQ(why_not("w@5.service", "m1"),
            "2 units of w@.service are here already, at most 2 may be");
  EXPECT_EQ(why_not("w@1.service", "m1"), "");
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(WishesTest, SpreadsATemplateOverTheValuesOfAKey) {
  machine("m1", {{"zone", "a"}});
  machine("m2", {{"zone", "a"}});
  machine("m3", {{"zone", "b"}});
  unit("heavy.service", {{"Weight", "10"}}, "m3");
  for (int i = 1; i <= 4; ++i) unit("w@" + std::to_string(i) + ".service", {{"Spread", "zone"}});
  EXPECT_THAT(
      decisions(),
      ElementsAre("AttemptScheduleUnit w@1.service m1", "AttemptScheduleUnit w@2.service m3",
                  "AttemptScheduleUnit w@3.service m2", "AttemptScheduleUnit w@4.service m3"));
}

TEST_F(WishesTest, PrefersButDoesNotInsist) {
  machine("m1");
  machine("m2", {{"disk", "ssd"}});
  unit("a.service", {}, "m2");
  unit("b.service", {{"Prefer", "disk=ssd"}});
  unit("c.service", {{"Prefer", "disk=tape"}});
  EXPECT_THAT(decisions(),
              ElementsAre("AttemptScheduleUnit b.service m2", "AttemptScheduleUnit c.service m1"));
}

TEST_F(WishesTest, RequestsAreHeldAgainstWhatTheMachineHas) {
  machine("m1", {}, 2, 1000, 1000);
  unit("a.service", {{"CPU", "1.5"}, {"Memory", "400"}});
  unit("b.service", {{"CPU", "600m"}});
  unit("c.service", {{"Memory", "700"}});
  unit("d.service", {{"Disk", "2000"}});
  unit("e.service");
  EXPECT_THAT(decisions(),
              ElementsAre("AttemptScheduleUnit a.service m1", "AttemptScheduleUnit e.service m1"));
  EXPECT_EQ(why_not("b.service", "m1"), "requests 600 thousandths of a CPU, 500 of 2000 are free");
  EXPECT_EQ(why_not("c.service", "m1"), "requests 700 bytes of memory, 600 of 1000 are free");
  EXPECT_EQ(why_not("d.service", "m1"), "requests 2000 bytes of disk, 1000 of 1000 are free");
  machine("m2");
  EXPECT_EQ(decisions().size(), 3u) << "what is not known is not held against anybody";
}

TEST_F(WishesTest, AMachineThatGotTooSmallIsLeft) {
  machine("m1", {}, 1);
  machine("m2", {}, 1);
  unit("a.service", {{"CPU", "600m"}}, "m1");
  unit("b.service", {{"CPU", "600m"}}, "m1");
  EXPECT_THAT(decisions(),
              ElementsAre("UnscheduleUnit a.service m1", "AttemptScheduleUnit a.service m2"));
}

TEST_F(WishesTest, AFollowerMayNameAPattern) {
  machine("m1");
  machine("m2");
  unit("db@1.service", {}, "m2");
  unit("w.service", {{"MachineOf", "db@*"}});
  unit("db@9.service", {{"MachineOf", "db@9*"}});
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit w.service m2"))
      << "nobody follows itself";
}

TEST_F(WishesTest, AGlobalMayFollow) {
  machine("m1");
  machine("m2");
  unit("db.service", {}, "m2");
  unit("sidecar.service", {{"Global", "true"}, {"MachineOf", "db.service"}});
  EXPECT_EQ(why_not("sidecar.service", "m1"),
            "required peer Unit(db.service) is not scheduled locally");
  EXPECT_EQ(why_not("sidecar.service", "m2"), "");
}

TEST_F(WishesTest, WhatMustNotRunTwiceWaitsUntilItIsGoneFromWhereItWas) {
  machine("m2");
  unit("once.service", {{"OnPartition", "stop"}}, "m1");
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit once.service m1"));
  state("once.service", "m1");
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_EQ(why_not("once.service", "m2"), "unit is not yet gone from Machine(m1)");
  cluster.states.clear();
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit once.service m2"));
  machine("m3");
  state("once.service", "m2");
  EXPECT_EQ(why_not("once.service", "m3"), "") << "it would be stopped to go there";
}

TEST_F(WishesTest, NothingNewComesToACordonedMachine) {
  machine("m1", {{"fleet.cordon", "cordon"}});
  machine("m2", {{"fleet.cordon", "dr\xff"}});
  unit("a.service", {}, "m1");
  unit("b.service");
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_EQ(why_not("b.service", "m1"), "machine is cordoned");
  EXPECT_EQ(why_not("b.service", "m2"), "machine is cordoned");
  EXPECT_EQ(why_not("a.service", "m1"), "");
}

TEST_F(WishesTest, ADrainedMachineHandsOverWhatRunsThere) {
  machine("m1", {{"fleet.cordon", "drain"}});
  machine("m2");
  unit("a.service", {}, "m1");
  unit("b.service", {{"MachineOf", "a.service"}}, "m1");
  unit("only.service", {{"MachineID", "m1"}}, "m1");
  EXPECT_THAT(decisions(),
              ElementsAre("AttemptScheduleUnit a.service m2", "AttemptScheduleUnit b.service m2"));
  EXPECT_THAT(decisions(), IsEmpty()) << "not before they run at their new place";
  EXPECT_EQ(cluster.schedule.at("a.service").size(), 2u);
  state("a.service", "m2");
  registry::UnitState& told = cluster.states["a.service"]["m2"];
  told.hash = cluster.units["a.service"].hash;
  told.launched = true;
  told.active_state = "activating";
  EXPECT_THAT(decisions(), IsEmpty());
  told.active_state = "active";
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(WishesTest, WhatDoesNotRunAtTheOldPlaceIsNotWaitedForAtTheNewOne) {
  machine("m1", {{"fleet.cordon", "drain"}});
  machine("m2");
  unit("a.service", {}, "m1");
  state("a.service", "m1");
  registry::UnitState& told = cluster.states["a.service"]["m1"];
  for (const char* active : {"active", "activating", "reloading", "deactivating"}) {
    told.active_state = active;
    decisions();
    EXPECT_TRUE(cluster.schedule.at("a.service").contains("m1")) << active;
  }
  // With whatever text, and if it could not even be loaded.
  for (const char* active : {"failed", "inactive"}) {
    cluster.schedule.erase("a.service");
    cluster.schedule["a.service"]["m1"] = schedule_entry_of(cluster.units["a.service"], "m1");
    told.active_state = active;
    EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit a.service m2"));
    EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1")) << active;
    EXPECT_THAT(decisions(), IsEmpty());
  }
}

TEST_F(WishesTest, AUnitLeavesTwoMachinesThatAreDrainedTogether) {
  machine("m1", {{"fleet.cordon", "drain"}});
  machine("m2", {{"fleet.cordon", "drain"}});
  machine("m3");
  unit("a.service", {}, "m1");
  cluster.schedule["a.service"]["m2"] = schedule_entry_of(cluster.units["a.service"], "m2");
  state("a.service", "m2");
  registry::UnitState& told = cluster.states["a.service"]["m2"];
  told.hash = cluster.units["a.service"].hash;
  told.launched = true;
  told.active_state = "active";
  decisions();
  EXPECT_TRUE(cluster.schedule.at("a.service").contains("m3"));
  decisions();
  decisions();
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(WishesTest, AHandoverSurvivesTheLossOfTheNewPlace) {
  machine("m1", {{"fleet.cordon", "drain"}});
  machine("m2");
  unit("a.service", {}, "m1");
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit a.service m2"));
  cluster.machines.erase("m2");
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m2"));
  EXPECT_THAT(decisions(), IsEmpty());
  machine("m3");
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit a.service m3"));
}

}  // namespace
}  // namespace flotilla::engine
