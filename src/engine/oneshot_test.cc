// Oneshots: what has finished is not run again, and what runs stops before it begins elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/rebalance.h"
#include "engine/scheduler.h"

namespace flotilla::engine {
namespace {

using registry::TargetState;
using testing::ElementsAre;
using testing::IsEmpty;

struct OneshotTest : testing::Test {
  OneshotTest() {
    for (const char* id : {"m1", "m2"}) machine(id);
  }
  void machine(const std::string& id) {
    cluster.machines[id].id = id;
    cluster.machines[id].cpus = 2;
  }
  void unit(const std::string& name, const std::string& more = "", const std::string& on = "",
            const std::string& type = "oneshot") {
    registry::Unit& made = cluster.units[name];
    made.name = name;
    made.options = *unit::parse_fleet_file("[Service]\nType=" + type + "\nExecStart=/x\n" + more);
    made.hash = unit::hash_hex(made.options);
    made.desired = TargetState::kLaunched;
    if (!on.empty()) cluster.schedule[name][on] = schedule_entry_of(made, on);
  }
  void finish(const std::string& name, const std::string& on) {
    registry::UnitHistory& history = cluster.histories[name];
    history.hash = cluster.units.at(name).hash;
    history.finished_on = on;
  }
  std::vector<std::string> decisions() {
    std::vector<std::string> lines;
    const std::vector<Decision> all = decide(cluster);
    for (const Decision& d : all) {
      lines.push_back(std::string(to_string(d.kind)) + " " + d.unit + " " + d.machine);
    }
    apply_decisions(cluster, all);
    return lines;
  }

  registry::Cluster cluster;
};

TEST_F(OneshotTest, ItsMachineIsToldOnceThatItHasFinished) {
  unit("a.service", "", "m1");
  finish("a.service", "m1");
  EXPECT_THAT(decisions(), ElementsAre("UpdateUnit a.service m1"));
  EXPECT_TRUE(cluster.schedule["a.service"]["m1"].is_finished);
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kLaunched);
}

TEST_F(OneshotTest, WhatHasFinishedGoesWithItsMachineAndIsNotRunElsewhere) {
  unit("a.service", "", "m1");
  finish("a.service", "m1");
  decisions();
  cluster.machines.erase("m1");
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
  machine("m1");
  EXPECT_THAT(decisions(), IsEmpty());
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kLaunched);
  for (const Verdict& verdict : explain(cluster, "a.service")) {
    EXPECT_EQ(verdict.why_not, "unit has finished on Machine(m1), and is not run again");
  }
}

TEST_F(OneshotTest, WhatHasNotFinishedIsRunElsewhere) {
  unit("a.service", "", "m1");
  cluster.machines.erase("m1");
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1"));
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit a.service m2"));
}

TEST_F(OneshotTest, AnotherTextOrLaunchIsRunAgain) {
  unit("a.service");
  finish("a.service", "m1");
  unit("a.service", "[X-Fleet]\nWeight=2\n");
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit a.service m1"));
  finish("a.service", "m1");
  decisions();
  cluster.units["a.service"].desired = TargetState::kInactive;
  EXPECT_THAT(decisions(), ElementsAre("UnscheduleUnit a.service m1"));
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kInactive);
}

TEST_F(OneshotTest, WhatHasFinishedTakesNoRoomAndKeepsItsFollowers) {
  unit("a.service", "[X-Fleet]\nCPU=2\nMachineID=m1\n", "m1");
  unit("b.service", "[X-Fleet]\nCPU=2\nMachineID=m1\n");
  unit("a.timer", "[X-Fleet]\nMachineOf=a.service\n", "m1");
  EXPECT_THAT(decisions(), IsEmpty());
  finish("a.service", "m1");
  EXPECT_THAT(decisions(),
              ElementsAre("UpdateUnit a.service m1", "AttemptScheduleUnit b.service m1"));
  EXPECT_THAT(decisions(), IsEmpty());
}

TEST_F(OneshotTest, ADrainedMachineLosesWhatHasFinishedAndOthersStopFirst) {
  unit("a.service", "", "m1");
  unit("b.service", "", "m1");
  finish("a.service", "m1");
  decisions();
  cluster.metadata_edits["m1"]["fleet.cordon"] = "drain";
  cluster.states["b.service"]["m1"].machine = "m1";
  EXPECT_THAT(decisions(),
              ElementsAre("UnscheduleUnit a.service m1", "UnscheduleUnit b.service m1"));
  EXPECT_THAT(decisions(), IsEmpty()) << "it may run there still";
  cluster.states.clear();
  EXPECT_THAT(decisions(), ElementsAre("AttemptScheduleUnit b.service m2"));
}

TEST_F(OneshotTest, NoneIsMovedToEvenOutTheMachines) {
  for (const char* name : {"a.service", "b.service", "c.service"}) unit(name, "", "m1");
  EXPECT_THAT(plan_rebalance(cluster), IsEmpty());
  unit("d.service", "", "m1", "exec");
  EXPECT_EQ(plan_rebalance(cluster).size(), 1u);
}

}  // namespace
}  // namespace flotilla::engine
