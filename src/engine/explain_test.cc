#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/notes.h"
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
    cluster.leader = registry::Leader{};
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

// Each rule of [X-Fleet] as a user sees it: what is beside the unit on m1, what it asks for, and
// what is said of m1.
TEST_F(ExplainTest, EveryRuleSaysWhatItHolds) {
  struct Row {
    const char* rule;
    const char* beside;  // of b@1.service on m1
    const char* asks;    // of b@2.service
    const char* says;
  };
  const Row rows[] = {
      {"MachineID", "", "MachineID=m2", "agent ID \"m1\" does not match required \"m2\""},
      {"MachineMetadata", "", "MachineMetadata=gpu=yes",
       "local Machine metadata insufficient: wants gpu=yes, the machine has no gpu"},
      {"MachineOf", "", "MachineOf=db.service",
       "required peer Unit(db.service) is not scheduled locally"},
      {"MachineOf pattern", "", "MachineOf=db*",
       "required peer Unit(db*) is not scheduled locally"},
      {"MachineOf pattern met", "", "MachineOf=b@*", ""},
      {"Conflicts", "", "Conflicts=b@*",
       "found conflict with locally-scheduled Unit([b@1.service])"},
      {"Conflicts of another", "Conflicts=b@2*", "",
       "found conflict with locally-scheduled Unit([b@1.service])"},
      {"Replaces of another", "Replaces=b@2*", "",
       "found replace with locally-scheduled Unit(b@1.service)"},
      {"Replaces", "", "Replaces=b@1*", ""},
      {"MaxPerMachine", "", "MaxPerMachine=1",
       "1 units of b@.service are here already, at most 1 may be"},
      {"CPU", "CPU=1500m", "CPU=1", "requests 1000 thousandths of a CPU, 500 of 2000 are free"},
      {"Memory", "Memory=600", "Memory=500", "requests 500 bytes of memory, 400 of 1000 are free"},
      {"Disk", "Disk=600", "Disk=500", "requests 500 bytes of disk, 400 of 1000 are free"},
      {"Weight", "", "Weight=3", "load 1, the unit counts as 3"},
      {"Prefer", "", "Prefer=ram>=16G\nPrefer=ram>=4G", "meets 1 of 2 preferences; load 1"},
      {"Spread", "", "Spread=ram", "ram=8G has 1 other units of b@.service; load 1"},
      {"OnPartition", "", "OnPartition=stop", ""},
      {"nothing", "", "", ""},
  };
  for (const Row& row : rows) {
    cluster.units.clear();
    cluster.schedule.clear();
    cluster.machines.at("m1").cpus = 2;
    cluster.machines.at("m1").memory_bytes = 1000;
    cluster.machines.at("m1").disk_bytes = 1000;
    unit("b@1.service", row.beside, "m1");
    unit("b@2.service", row.asks);
    const Verdict verdict = explain(cluster, "b@2.service").at(0);
    EXPECT_EQ(verdict.why_not.empty() ? verdict.note : verdict.why_not, row.says) << row.rule;
  }
}

TEST_F(ExplainTest, TellsOfWishesAboutInstancesThatAUnitWithoutATemplateHas) {
  const std::string about = "no instance of a template, which MaxPerMachine= and Spread= are about";
  unit("a.service", "MaxPerMachine=1");
  unit("b.service", "Spread=ram\nWeight=2");
  EXPECT_EQ(explain(cluster, "a.service").at(0).note, about);
  EXPECT_EQ(explain(cluster, "b.service").at(0).note, about + "; load 0, the unit counts as 2");
}

TEST_F(ExplainTest, KnowsCordonsDrainsAndWhatMustStopFirst) {
  unit("a.service", "");
  cluster.metadata_edits["m1"]["fleet.cordon"] = "cordon";
  cluster.metadata_edits["m2"]["fleet.cordon"] = "drain";
  EXPECT_THAT(of("a.service"),
              ElementsAre("m1: machine is cordoned", "m2: machine is being drained"));
  cluster.metadata_edits.clear();
  unit("once.service", "OnPartition=stop");
  cluster.states["once.service"]["m2"] = {};
  EXPECT_THAT(of("once.service"), ElementsAre("m1: unit is not yet gone from Machine(m2)",
                                              "m2: unit is not yet gone from Machine(m2)"));
}

TEST_F(ExplainTest, WhatMustStopFirstMayGoElsewhereOnceItIsStopped) {
  unit("once.service", "OnPartition=stop", "m1");
  registry::UnitState& state = cluster.states["once.service"]["m1"];
  state.hash = cluster.units.at("once.service").hash;
  state.active_state = "active";
  state.launched = true;
  const std::vector<Verdict> verdicts = explain(cluster, "once.service");
  EXPECT_EQ(verdicts.at(0), (Verdict{"m1", "", ""}));
  EXPECT_EQ(verdicts.at(1), (Verdict{"m2", "", "once it is stopped on Machine(m1)"}));
}

TEST_F(ExplainTest, SaysThatNobodyLeads) {
  cluster.leader.reset();
  unit("a.service", "MachineID=m2\nWeight=2");
  EXPECT_THAT(explain(cluster, "a.service").at(0).note, "");
  EXPECT_THAT(explain(cluster, "a.service").at(1).note,
              "load 0, the unit counts as 2; waits for a fleetd that leads: there is none");
  unit("b.service", "", "", TargetState::kInactive);
  EXPECT_THAT(explain(cluster, "b.service").at(0).note, "");
}

TEST_F(ExplainTest, SaysWhatIsWrongWhereTheUnitIsScheduled) {
  const auto note = [&] { return explain(cluster, "a.service").at(0).note; };
  unit("a.service", "", "m1");
  EXPECT_EQ(note(), "scheduled here, but: the machine has told nothing of it yet");
  registry::UnitState& state = cluster.states["a.service"]["m1"];
  state.problem = "Failed to link /run/fleet/units/a.service: no space";
  EXPECT_EQ(note(), "scheduled here, but: Failed to link /run/fleet/units/a.service: no space");
  state.problem.clear();
  EXPECT_EQ(note(), "scheduled here, but: another text of it is loaded there");
  state.hash = cluster.units.at("a.service").hash;
  EXPECT_EQ(note(), "scheduled here, but: it is not started");
  state.launched = true;
  EXPECT_EQ(note(), "");
  state.active_state = "failed";
  EXPECT_EQ(note(), "scheduled here, but: it has failed");
  cluster.schedule.at("a.service").at("m1").target = TargetState::kLoaded;
  EXPECT_EQ(note(), "scheduled here, but: it is not stopped yet");
  cluster.schedule.at("a.service").at("m1").is_leaving = true;
  EXPECT_EQ(note(), "runs here until it runs at its new place");
}

TEST_F(ExplainTest, TellsOfAMachineThatIsAwayAndWhyItsUnitsStay) {
  unit("a.service", "", "m3");
  EXPECT_THAT(of("a.service"), ElementsAre("m1: eligible", "m2: eligible",
                                           "m3: scheduled here, but the machine is away"));
  std::vector<Verdict> verdicts;
  add_notes(cluster, "a.service", Holding::kStorm, verdicts);
  EXPECT_EQ(verdicts.at(0).why_not,
            "scheduled here, but the machine is away; many vanished together, so that the leader "
            "waits for one more lease time");
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
