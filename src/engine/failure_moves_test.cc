#include "engine/failure_moves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/scheduler.h"

namespace flotilla::engine {
namespace {

using registry::TargetState;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::IsEmpty;

struct FailureMovesTest : testing::Test {
  FailureMovesTest() {
    for (const char* id : {"m1", "m2", "m3"}) cluster.machines[id].id = id;
  }
  void unit(const std::string& fleet, TargetState desired = TargetState::kLaunched) {
    registry::Unit& made = cluster.units["a.service"];
    made.name = "a.service";
    made.options = *unit::parse_fleet_file("[Service]\nExecStart=/x\n[X-Fleet]\n" + fleet);
    made.hash = unit::hash_hex(made.options);
    made.desired = desired;
    cluster.schedule["a.service"]["m1"] = schedule_entry_of(made, "m1");
  }
  void state(const std::string& active, uint64_t since = 0) {
    registry::UnitState& state = cluster.states["a.service"]["m1"];
    state.hash = cluster.units.at("a.service").hash;
    state.launched = true;
    state.active_state = active;
    state.active_enter_usec = since;
  }
  void moved(uint32_t times, base::WallTime at, const std::string& hash = "") {
    registry::UnitHistory& history = cluster.histories["a.service"];
    history.hash = hash.empty() ? cluster.units.at("a.service").hash.str() : hash;
    history.moves = times;
    history.moved_usec = static_cast<uint64_t>(at.since_epoch.count());
    ++history.mod_revision;
  }
  void read() {
    moves = {};
    moves.read(cluster, {now, wall});
  }
  void update() { moves.update(cluster, {0, {"a.service"}, {}, {}, {}, false}, {now, wall}); }
  bool is_due() { return !moves.due(now).moves.empty(); }
  base::Micros next() { return moves.due(now).next; }
  void wait(base::Micros time) {
    now = now + time;
    wall = wall + time;
  }

  registry::Cluster cluster;
  FailureMoves moves;
  base::MonotonicTime now{1000s};
  base::WallTime wall{1'700'000'000s};
};

TEST(FailurePauses, Grow) {
  const std::pair<uint32_t, base::Micros> rows[] = {
      {1, 10s}, {2, 20s}, {3, 40s}, {6, 320s}, {7, 600s}, {8, 600s}, {1'000'000, 600s}};
  for (const auto& [move, pause] : rows) EXPECT_EQ(pause_after_move(move), pause) << move;
}

TEST_F(FailureMovesTest, MoveWhatHasFailedAndAsksForIt) {
  const struct {
    const char* fleet;
    const char* active;
    bool is_due;
  } rows[] = {
      {"RescheduleOnFailure=3\n", "failed", true},
      {"RescheduleOnFailure=3\n", "activating", false},
      {"RescheduleOnFailure=3\n", "active", false},
      {"RescheduleOnFailure=3\n", "inactive", false},
      {"Weight=1\n", "failed", false},
      {"RescheduleOnFailure=3\nGlobal=true\n", "failed", false},
      {"RescheduleOnFailure=many\n", "failed", false},
  };
  for (const auto& row : rows) {
    unit(row.fleet);
    state(row.active);
    read();
    EXPECT_EQ(is_due(), row.is_due) << row.fleet << row.active;
    moves = {};
    update();
    EXPECT_EQ(is_due(), row.is_due) << row.fleet << row.active;
    EXPECT_EQ(next(), 0s);
  }
}

TEST_F(FailureMovesTest, OnlyAStateOfTheUnitAsItIsCounts) {
  unit("RescheduleOnFailure=3\n");
  state("failed");
  const registry::Cluster good = cluster;
  const auto is_due_after = [&](const auto& change) {
    cluster = good;
    change();
    read();
    return is_due();
  };
  EXPECT_TRUE(is_due_after([] {}));
  EXPECT_FALSE(is_due_after([&] { cluster.states["a.service"]["m1"].hash = "old"; }));
  EXPECT_FALSE(is_due_after([&] { cluster.states["a.service"]["m1"].launched = false; }));
  EXPECT_FALSE(is_due_after([&] { cluster.schedule["a.service"]["m1"].hash = "old"; }));
  EXPECT_FALSE(is_due_after([&] { cluster.schedule["a.service"]["m1"].is_leaving = true; }));
  EXPECT_FALSE(is_due_after([&] { cluster.schedule["a.service"]["m2"].machine = "m2"; }));
  EXPECT_FALSE(is_due_after([&] { cluster.schedule.clear(); }));
  EXPECT_FALSE(is_due_after([&] { cluster.units["a.service"].desired = TargetState::kLoaded; }));
  EXPECT_FALSE(is_due_after([&] { cluster.unreadable_units.insert("a.service"); }));
}

TEST_F(FailureMovesTest, TheNextMoveComesAfterThePauseAndTheLastIsTheLast) {
  unit("RescheduleOnFailure=2\n");
  state("failed");
  read();
  moved(1, wall);
  update();
  EXPECT_FALSE(is_due());
  EXPECT_EQ(next(), 10s);
  wait(4s);
  state("activating");
  update();
  EXPECT_EQ(next(), 0s);
  state("failed");
  update();
  EXPECT_EQ(next(), 6s) << "from the move on, whatever happens meanwhile";
  wait(6s);
  EXPECT_TRUE(is_due());
  moved(2, wall);
  update();
  wait(1000s);
  EXPECT_FALSE(is_due());
  EXPECT_EQ(next(), 0s);
}

TEST_F(FailureMovesTest, ANewLeaderGoesOnWithTheCountAndThePauseWhateverItsClockSays) {
  unit("RescheduleOnFailure=9\n");
  state("failed");
  moved(3, wall);
  const base::WallTime then = wall;
  const std::pair<base::Micros, base::Micros> rows[] = {
      {0s, 40s}, {15s, 25s}, {40s, 0s}, {500s, 0s}, {-500s, 40s}};
  for (const auto& [passed, rest] : rows) {
    wall = {then.since_epoch + passed};
    read();
    EXPECT_EQ(next(), rest) << passed.count();
    EXPECT_EQ(is_due(), rest == 0s) << passed.count();
  }
}

TEST_F(FailureMovesTest, AnotherTextBeginsAnew) {
  unit("RescheduleOnFailure=2\n");
  state("failed");
  moved(2, wall, "another");
  read();
  EXPECT_TRUE(is_due());
}

TEST_F(FailureMovesTest, WhatIsActiveForLongIsWell) {
  unit("RescheduleOnFailure=2\n");
  moved(2, wall);
  state("active", 5);
  update();
  EXPECT_EQ(next(), 10min);
  wait(9min);
  state("active", 6);
  update();
  EXPECT_EQ(next(), 10min) << "it was started again meanwhile";
  wait(10min);
  EXPECT_THAT(moves.due(now).well, ElementsAre("a.service"));
  cluster.histories.clear();
  update();
  EXPECT_THAT(moves.due(now).well, IsEmpty());
  EXPECT_EQ(next(), 0s);
  EXPECT_FALSE(moves.is_watching("a.service"));
}

TEST_F(FailureMovesTest, ExplainTellsTheCountAndTheNextTime) {
  const auto note = [&] { return explain(cluster, "a.service")[0].note; };
  unit("RescheduleOnFailure=2\n");
  state("active");
  EXPECT_EQ(note(), "");
  state("failed");
  EXPECT_EQ(note(),
            "unit has failed here; moved 0 of 2 times because it failed, the next time when "
            "another machine can take it");
  moved(1, wall);
  EXPECT_EQ(note(),
            "unit has failed here; moved 1 of 2 times because it failed, the next time from "
            "2023-11-14T22:13:30Z on");
  moved(2, wall);
  EXPECT_EQ(note(), "unit has failed here; moved 2 of 2 times because it failed, and stays");
  state("active");
  EXPECT_EQ(note(), "moved 2 of 2 times because it failed");
  EXPECT_EQ(explain(cluster, "a.service")[1].note, "");
}

TEST_F(FailureMovesTest, TheOtherMachineIsOneThatCanTakeIt) {
  unit("RescheduleOnFailure=2\n");
  const auto other = [&] {
    Scheduler scheduler;
    scheduler.read(cluster);
    return scheduler.find_other_machine("a.service");
  };
  EXPECT_EQ(other(), "m2");
  cluster.metadata_edits["m2"]["fleet.cordon"] = "cordon";
  EXPECT_EQ(other(), "m3");
  unit("RescheduleOnFailure=2\nMachineID=m1\n");
  EXPECT_EQ(other(), "");
}

}  // namespace
}  // namespace flotilla::engine
