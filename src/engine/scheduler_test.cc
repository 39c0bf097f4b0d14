#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace flotilla::engine {
namespace {

using registry::Cluster;
using registry::TargetState;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kLaunched = TargetState::kLaunched;
constexpr auto kLoaded = TargetState::kLoaded;
constexpr auto kInactive = TargetState::kInactive;

using Fleet = std::vector<std::pair<std::string, std::string>>;  // options of [X-Fleet]

struct World {
  Cluster cluster;

  World& machine(const std::string& id, registry::Metadata metadata = {}) {
    cluster.machines[id].id = id;
    cluster.machines[id].metadata = std::move(metadata);
    return *this;
  }
  World& unit(const std::string& name, TargetState desired = kLaunched, const Fleet& fleet = {},
              const std::string& on = "") {
    registry::Unit& made = cluster.units[name];
    made.name = name;
    made.options = {{"Service", "ExecStart", "/bin/" + name}};
    for (const auto& [key, value] : fleet) made.options.push_back({"X-Fleet", key, value});
    made.hash = unit::hash_hex(made.options);
    made.desired = desired;
    if (!on.empty()) schedule(name, on);
    return *this;
  }
  World& schedule(const std::string& name, const std::string& machine) {
    cluster.schedule[name][machine] = schedule_entry_of(cluster.units.at(name), machine);
    return *this;
  }
  std::vector<std::string> decisions(Absence absence = Absence::kTrusted) {
    std::vector<std::string> lines;
    for (const Decision& d : decide(cluster, absence)) {
      lines.push_back(std::string(to_string(d.kind)) + " " + d.unit +
                      (d.machine.empty() ? "" : " " + d.machine) + ": " + d.reason);
    }
    return lines;
  }
};

TEST(Decide, PutsAUnitOnTheMachineWithTheFewestUnits) {
  World w;
  w.machine("m1").machine("m2").machine("m3");
  w.unit("a.service", kLaunched, {}, "m1").unit("b.service", kLaunched, {}, "m2");
  w.unit("c.service", kLoaded);
  EXPECT_THAT(w.decisions(),
              ElementsAre("AttemptScheduleUnit c.service m3: target state loaded and unit not "
                          "scheduled"));
}

TEST(Decide, BreaksTiesByMachineIdAndGoesByUnitName) {
  World w;
  w.machine("m2").machine("m1");
  w.unit("c.service").unit("a.service").unit("b.service");
  EXPECT_THAT(
      w.decisions(),
      ElementsAre(
          "AttemptScheduleUnit a.service m1: target state launched and unit not scheduled",
          "AttemptScheduleUnit b.service m2: target state launched and unit not scheduled",
          "AttemptScheduleUnit c.service m1: target state launched and unit not scheduled"));
}

TEST(Decide, GlobalsCountWhereTheyRun) {
  World w;
  w.machine("m1", {{"disk", "ssd"}}).machine("m2");
  w.unit("g.service", kLaunched, {{"Global", "true"}, {"MachineMetadata", "disk=ssd"}});
  w.unit("a.service");
  EXPECT_THAT(w.decisions(),
              ElementsAre("AttemptScheduleUnit a.service m2: target state launched and unit not "
                          "scheduled",
                          "PutGlobalUnit g.service: target state launched"));
}

TEST(Decide, InactiveUnitsAreNotScheduledAndComeOff) {
  World w;
  w.machine("m1");
  w.unit("a.service", kInactive, {}, "m1").unit("b.service", kInactive);
  EXPECT_THAT(w.decisions(), ElementsAre("UnscheduleUnit a.service m1: target state inactive"));
}

TEST(Decide, AUnitWithoutRecordComesOff) {
  World w;
  w.machine("m1").unit("a.service", kLaunched, {}, "m1");
  w.cluster.units.clear();
  EXPECT_THAT(w.decisions(),
              ElementsAre("UnscheduleUnit a.service m1: unit does not exist any more"));
}

TEST(Decide, TemplatesAreNeverScheduled) {
  World w;
  w.machine("m1").unit("a@.service").unit("b@.service", kLaunched, {}, "m1");
  w.unit("g@.service", kLaunched, {{"Global", "true"}});
  EXPECT_THAT(w.decisions(), ElementsAre("UnscheduleUnit b@.service m1: unit is a template"));
}

TEST(Decide, UnitsOfAMachineThatWentAwayMoveInTheSamePass) {
  World w;
  w.machine("m2").unit("a.service", kLaunched, {}, "m1");
  EXPECT_THAT(w.decisions(),
              ElementsAre("UnscheduleUnit a.service m1: target Machine(m1) went away",
                          "AttemptScheduleUnit a.service m2: target state launched and unit not "
                          "scheduled"));
}

TEST(Decide, WhileAbsenceIsDoubtedUnitsStayWhereTheyAre) {
  World w;
  w.machine("m2").unit("a.service", kLaunched, {}, "m1").unit("b.service", kInactive, {}, "m1");
  EXPECT_THAT(w.decisions(Absence::kDoubted),
              ElementsAre("UnscheduleUnit b.service m1: target state inactive"));
}

TEST(Decide, WhatCannotBeReadIsLeftAlone) {
  World w;
  w.machine("m2");
  w.unit("a.service", kLaunched, {}, "m1").unit("b.service", kInactive, {}, "m2");
  w.unit("c.service");
  w.cluster.unreadable_machines.insert("m1");
  w.cluster.unreadable_units.insert("b.service");
  w.cluster.unreadable_units.insert("c.service");
  w.cluster.schedule["d.service"]["m2"] = {};
  w.cluster.unreadable_units.insert("d.service");
  w.cluster.globals["g.service"] = {};
  w.cluster.unreadable_units.insert("g.service");
  EXPECT_THAT(w.decisions(), IsEmpty());
}

// Every reason of AbleToRun, for a unit that is on m1 and may not stay.
struct ReasonCase {
  const char* name;
  Fleet fleet;
  std::function<void(World&)> add;
  const char* reason;
};

class AbleToRun : public testing::TestWithParam<ReasonCase> {};

TEST_P(AbleToRun, GivesItsReason) {
  World w;
  w.machine("m1", {{"region", "us"}});
  w.unit("u.service", kLaunched, GetParam().fleet, "m1");
  if (GetParam().add) GetParam().add(w);
  const auto decisions = w.decisions();
  if (GetParam().reason == nullptr) {
    EXPECT_THAT(decisions, IsEmpty());
  } else {
    EXPECT_THAT(decisions, testing::Contains(std::string(GetParam().reason)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, AbleToRun,
    testing::Values(
        ReasonCase{"Free", {}, {}, nullptr},
        ReasonCase{"MachineId",
                   {{"MachineID", "m2"}},
                   {},
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: agent ID "
                   "\"m1\" does not match required \"m2\""},
        ReasonCase{"MachineIdFits", {{"MachineID", "m1"}}, {}, nullptr},
        ReasonCase{"Metadata",
                   {{"MachineMetadata", "region=eu"}},
                   {},
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: local "
                   "Machine metadata insufficient"},
        ReasonCase{"MetadataMissing",
                   {{"MachineMetadata", "disk=ssd"}},
                   {},
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: local "
                   "Machine metadata insufficient"},
        ReasonCase{"MetadataFits", {{"MachineMetadata", "region=us"}}, {}, nullptr},
        ReasonCase{"MetadataEither",
                   {{"MachineMetadata", "region=eu"}, {"MachineMetadata", "region=us"}},
                   {},
                   nullptr},
        ReasonCase{"MetadataEdited",
                   {{"MachineMetadata", "region=us"}},
                   [](World& w) {
                     w.cluster.metadata_edits["m1"] = {{"region", ""}};
                   },
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: local "
                   "Machine metadata insufficient"},
        ReasonCase{"Peer",
                   {{"MachineOf", "p.service"}},
                   {},
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: required "
                   "peer Unit(p.service) is not scheduled locally"},
        ReasonCase{"PeerInactive",
                   {{"MachineOf", "p.service"}},
                   [](World& w) { w.unit("p.service", kInactive, {}, "m1"); },
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: required "
                   "peer Unit(p.service) is not scheduled locally"},
        ReasonCase{"PeerThere",
                   {{"MachineOf", "p.service"}},
                   [](World& w) { w.unit("p.service", kLoaded, {}, "m1"); },
                   nullptr},
        ReasonCase{"ConflictHere",
                   {{"Conflicts", "x*.service"}},
                   [](World& w) { w.unit("x1.service", kLaunched, {}, "m1"); },
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: found "
                   "conflict with locally-scheduled Unit([x1.service])"},
        ReasonCase{"ConflictThere",
                   {},
                   [](World& w) {
                     w.unit("x1.service", kLaunched, {{"Conflicts", "u*"}}, "m1");
                   },
                   "UnscheduleUnit u.service m1: target Machine(m1) unable to run unit: found "
                   "conflict with locally-scheduled Unit([x1.service])"},
        ReasonCase{"ConflictWithItself", {{"Conflicts", "u*"}}, {}, nullptr},
        ReasonCase{"Replaces",
                   {{"Replaces", "x*"}},
                   [](World& w) { w.unit("x1.service", kLaunched, {}, "m1"); },
                   "UnscheduleUnit x1.service m1: target Machine(m1) unable to run unit: found "
                   "replace with locally-scheduled Unit(u.service)"},
        ReasonCase{"ReplacesMutually",
                   {{"Replaces", "x*"}},
                   [](World& w) {
                     w.unit("x1.service", kLaunched, {{"Replaces", "u*"}}, "m1");
                   },
                   nullptr}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Decide, MachineIdMayBeShortenedToEightCharacters) {
  World w;
  w.machine("113f16a7deadbeef").machine("000000001");
  w.unit("a.service", kLaunched, {{"MachineID", "113f16a7"}});
  w.unit("b.service", kLaunched, {{"MachineID", "113f16a"}});
  EXPECT_THAT(w.decisions(),
              ElementsAre("AttemptScheduleUnit a.service 113f16a7deadbeef: target state launched "
                          "and unit not scheduled"));
}

TEST(Decide, AFollowerFollowsInTheSamePass) {
  World w;
  w.machine("m2");
  w.unit("a.service", kLaunched, {{"MachineOf", "p.service"}}, "m1");
  w.unit("p.service", kLaunched, {}, "m1");
  EXPECT_THAT(
      w.decisions(),
      ElementsAre("UnscheduleUnit a.service m1: target Machine(m1) went away",
                  "UnscheduleUnit p.service m1: target Machine(m1) went away",
                  "AttemptScheduleUnit a.service m2: target state launched and unit not scheduled",
                  "AttemptScheduleUnit p.service m2: target state launched and unit not "
                  "scheduled"));
}

TEST(Decide, FollowersOfEachOtherAreNeverScheduled) {
  World w;
  w.machine("m1");
  w.unit("a.service", kLaunched, {{"MachineOf", "b.service"}});
  w.unit("b.service", kLaunched, {{"MachineOf", "a.service"}});
  EXPECT_THAT(w.decisions(), IsEmpty());
}

TEST(Decide, AFollowerOfAGlobalRunsWhereTheGlobalCounts) {
  World w;
  w.machine("m1").machine("m2", {{"disk", "ssd"}});
  w.unit("g.service", kLaunched, {{"Global", "yes"}, {"MachineMetadata", "disk=ssd"}});
  w.unit("a.service", kLaunched, {{"MachineOf", "g.service"}});
  EXPECT_THAT(w.decisions(), testing::Contains("AttemptScheduleUnit a.service m2: target state "
                                               "launched and unit not scheduled"));
}

TEST(Decide, ConflictingUnitsSpreadAndTheLastWaits) {
  World w;
  w.machine("m1").machine("m2");
  for (const char* name : {"w@1.service", "w@2.service", "w@3.service"}) {
    w.unit(name, kLaunched, {{"Conflicts", "w@*"}});
  }
  EXPECT_THAT(
      w.decisions(),
      ElementsAre(
          "AttemptScheduleUnit w@1.service m1: target state launched and unit not scheduled",
          "AttemptScheduleUnit w@2.service m2: target state launched and unit not scheduled"));
}

TEST(Decide, AConflictingGlobalKeepsAUnitAway) {
  World w;
  w.machine("m1", {{"disk", "ssd"}}).machine("m2");
  w.unit("g.service", kLaunched,
         {{"Global", "1"}, {"MachineMetadata", "disk=ssd"}, {"Conflicts", "a*"}});
  w.unit("a.service");
  EXPECT_THAT(w.decisions(), testing::Contains("AttemptScheduleUnit a.service m2: target state "
                                               "launched and unit not scheduled"));
}

TEST(Decide, AReplacedUnitMovesToTheLeastLoadedOtherMachine) {
  World w;
  w.machine("m1").machine("m2").machine("m3");
  w.unit("old.service", kLaunched, {}, "m1");
  w.unit("x.service", kLaunched, {}, "m2");
  w.unit("new.service", kLaunched, {{"Replaces", "old*"}, {"MachineMetadata", "a=b"}}, "m1");
  w.cluster.machines["m1"].metadata = {{"a", "b"}};
  EXPECT_THAT(
      w.decisions(),
      ElementsAre("UnscheduleUnit old.service m1: target Machine(m1) unable to run unit: found "
                  "replace with locally-scheduled Unit(new.service)",
                  "AttemptScheduleUnit old.service m3: target state launched and unit not "
                  "scheduled"));
}

TEST(Decide, AReplacedUnitWithoutAnotherMachineWaits) {
  World w;
  w.machine("m1").unit("old.service", kLaunched, {}, "m1");
  w.unit("new.service", kLaunched, {{"Replaces", "old*"}});
  EXPECT_THAT(
      w.decisions(),
      ElementsAre("UnscheduleUnit old.service m1: target Machine(m1) unable to run unit: found "
                  "replace with locally-scheduled Unit(new.service)",
                  "AttemptScheduleUnit new.service m1: target state launched and unit not "
                  "scheduled"));
  apply_decisions(w.cluster, decide(w.cluster));
  EXPECT_THAT(w.decisions(), IsEmpty());
}

TEST(Decide, WithAFreeMachineNothingIsReplaced) {
  World w;
  w.machine("m1").machine("m2").unit("old.service", kLaunched, {}, "m1");
  w.unit("new.service", kLaunched, {{"Replaces", "old*"}});
  EXPECT_THAT(w.decisions(), ElementsAre("AttemptScheduleUnit new.service m2: target state "
                                         "launched and unit not scheduled"));
}

TEST(Decide, AChangedUnitIsUpdatedInPlace) {
  World w;
  w.machine("m1").unit("a.service", kLaunched, {}, "m1").unit("b.service", kLaunched, {}, "m1");
  w.cluster.units["a.service"].desired = kLoaded;
  w.unit("b.service", kLaunched, {{"MachineID", "m1"}});
  EXPECT_THAT(w.decisions(), ElementsAre("UpdateUnit a.service m1: target state loaded",
                                         "UpdateUnit b.service m1: unit was overwritten"));
}

TEST(Decide, AUnitThatBecomesGlobalLeavesItsMachine) {
  World w;
  w.machine("m1").unit("a.service", kLaunched, {}, "m1");
  w.unit("a.service", kLaunched, {{"Global", "true"}});
  EXPECT_THAT(w.decisions(), ElementsAre("UnscheduleUnit a.service m1: unit is global",
                                         "PutGlobalUnit a.service: target state launched"));
}

TEST(Decide, GlobalsComeAndGo) {
  World w;
  w.machine("m1").unit("g.service", kLaunched, {{"Global", "true"}});
  apply_decisions(w.cluster, decide(w.cluster));
  EXPECT_THAT(w.decisions(), IsEmpty());
  w.cluster.units["g.service"].desired = kLoaded;
  EXPECT_THAT(w.decisions(), ElementsAre("PutGlobalUnit g.service: target state loaded"));
  w.cluster.units["g.service"].desired = kInactive;
  EXPECT_THAT(w.decisions(), ElementsAre("RemoveGlobalUnit g.service: target state inactive"));
  w.unit("g.service");
  EXPECT_THAT(w.decisions(),
              testing::Contains("RemoveGlobalUnit g.service: unit is not global any more"));
  w.cluster.units.clear();
  EXPECT_THAT(w.decisions(),
              ElementsAre("RemoveGlobalUnit g.service: unit does not exist any more"));
}

TEST(Decide, AUnitOnTwoMachinesKeepsOne) {
  World w;
  w.machine("m1").machine("m2").unit("a.service", kLaunched, {}, "m1").schedule("a.service", "m2");
  EXPECT_THAT(w.decisions(), ElementsAre("UnscheduleUnit a.service m2: unit is also scheduled to "
                                         "Machine(m1)"));
}

// --- Properties over random clusters ---

class RandomWorld {
 public:
  explicit RandomWorld(unsigned seed) : random_(seed) {
    const size_t machines = pick(5);
    for (size_t i = 0; i < machines; ++i) {
      world.machine("m" + std::to_string(i), {{"k", std::to_string(pick(2))}});
    }
    const size_t units = pick(14);
    for (size_t i = 0; i < units; ++i) add_unit(i);
  }

  World world;

 private:
  size_t pick(size_t below) { return random_() % below; }

  void add_unit(size_t i) {
    const auto some_unit = [&] { return "u" + std::to_string(pick(14)) + ".service"; };
    Fleet fleet;
    bool global = false;
    switch (pick(8)) {
      case 0:
        fleet.emplace_back("Conflicts",
                           pick(2) ? some_unit() : "u" + std::to_string(pick(3)) + "*");
        break;
      case 1:
        fleet.emplace_back("MachineOf", some_unit());
        break;
      case 2:
        fleet.emplace_back("Replaces", pick(3) ? some_unit() : "u1*");
        break;
      case 3:
        fleet.emplace_back("Global", "true");
        global = true;
        if (pick(2)) fleet.emplace_back("Conflicts", some_unit());
        break;
      case 4:
        fleet.emplace_back("MachineID", "m" + std::to_string(pick(5)));
        break;
      default:
        break;
    }
    if (pick(4) == 0) fleet.emplace_back("MachineMetadata", "k=" + std::to_string(pick(2)));
    const TargetState desired = pick(5) == 0 ? kInactive : kLaunched;
    const std::string name = "u" + std::to_string(i) + ".service";
    world.unit(name, desired, fleet);
    if (pick(2) && (!global || pick(4) == 0)) {
      world.schedule(name, "m" + std::to_string(pick(6)));
    }
  }

  std::mt19937 random_;
};

TEST(DecideProperties, AppliedThereIsNothingLeftToDecide) {
  for (unsigned seed = 1; seed <= 1500; ++seed) {
    RandomWorld random(seed);
    World& w = random.world;
    apply_decisions(w.cluster, decide(w.cluster));
    ASSERT_THAT(w.decisions(), IsEmpty()) << "seed " << seed;
  }
}

TEST(DecideProperties, WhatIsScheduledIsFreeOfConflictsAndFits) {
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    RandomWorld random(seed);
    World& w = random.world;
    apply_decisions(w.cluster, decide(w.cluster));
    std::map<std::string, std::vector<const registry::Unit*>> on;
    for (const auto& [name, machines] : w.cluster.schedule) {
      ASSERT_EQ(machines.size(), 1u);
      const registry::Unit& unit = w.cluster.units.at(name);
      const auto wants = unit::extract_requirements(unit.options, unit.name);
      const std::string& id = machines.begin()->first;
      ASSERT_TRUE(w.cluster.machines.contains(id)) << "seed " << seed;
      ASSERT_NE(unit.desired, kInactive);
      ASSERT_FALSE(wants.global);
      ASSERT_TRUE(wants.allows_machine(id));
      ASSERT_TRUE(wants.allows_metadata(w.cluster.machines.at(id).metadata));
      for (const registry::Unit* other : on[id]) {
        ASSERT_FALSE(wants.conflicts_with(other->name)) << "seed " << seed;
        ASSERT_FALSE(unit::extract_requirements(other->options, other->name).conflicts_with(name))
            << "seed " << seed;
      }
      on[id].push_back(&unit);
    }
  }
}

TEST(DecideProperties, TheSameClusterAlwaysGivesTheSameDecisions) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    RandomWorld first(seed);
    RandomWorld second(seed);
    ASSERT_EQ(decide(first.world.cluster), decide(second.world.cluster));
  }
}

}  // namespace
}  // namespace flotilla::engine
