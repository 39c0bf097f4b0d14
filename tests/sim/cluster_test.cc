// Presence and leadership with several daemons over one store: what must happen, and how soon.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>
#include <set>

#include "sim/world.h"

namespace flotilla::sim {
namespace {

using registry::TargetState;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr const char* kText = "[Service]\nExecStart=/bin/x\n";

struct ClusterTest : testing::Test {
  ClusterTest() { spdlog::set_level(spdlog::level::off); }
  ~ClusterTest() override { EXPECT_EQ(fmt::format("{}", fmt::join(world.violations(), "\n")), ""); }

  void settle_in() { world.run(20s); }
  size_t leading() {
    for (size_t i = 0; i < world.size(); ++i) {
      if (&world.machine(i) == world.leader()) return i;
    }
    return world.size();
  }
  std::string where(const std::string& unit) {
    const std::string* machine = world.truth().machine_of(unit);
    return machine != nullptr ? *machine : "";
  }
  size_t index_of(const std::string& id) {
    for (size_t i = 0; i < world.size(); ++i) {
      if (world.machine(i).id() == id) return i;
    }
    return world.size();
  }
  size_t runners(const std::string& unit) {
    size_t count = 0;
    for (size_t i = 0; i < world.size(); ++i) count += world.machine(i).runs(unit) ? 1U : 0U;
    return count;
  }

  World world{{.seed = 1, .machines = 4, .engines = 3, .has_twin = true}};
};

TEST_F(ClusterTest, AnOrderlyEndHandsTheLeadOverAtOnce) {
  settle_in();
  const size_t before = leading();
  world.machine(before).stop_daemon();
  world.run(500ms);
  EXPECT_EQ(world.machine(before).daemon(), nullptr);
  ASSERT_LT(leading(), world.size());
  EXPECT_NE(leading(), before);
}

TEST_F(ClusterTest, ACrashedDaemonTakesItsPlaceOverAtOnceAndNothingMoves) {
  settle_in();
  for (int i = 0; i < 8; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.run(2s);
  const auto schedule = world.truth().schedule;
  Machine& machine = world.machine(leading());
  machine.kill_daemon();
  world.run(1s);
  machine.start_daemon();
  world.run(500ms);
  EXPECT_TRUE(machine.daemon()->session.is_registered());
  EXPECT_EQ(world.leader(), &machine);
  world.run(60s);
  EXPECT_EQ(world.truth().schedule, schedule);
  world.check_at_rest();
}

TEST_F(ClusterTest, WithoutAnEngineAMachineNeverLeads) {
  settle_in();
  for (size_t i = 0; i < 3; ++i) world.machine(i).power_off();
  world.run(60s);
  EXPECT_EQ(world.leader(), nullptr);
  world.heal();
  world.run(30s);
  EXPECT_LT(leading(), 3u);
}

TEST_F(ClusterTest, ASecondLivingMachineOfOneIdIsRefusedWithBothAddresses) {
  settle_in();
  Machine& twin = world.machine(4);
  twin.power_on();
  world.run(9500ms);
  ASSERT_NE(twin.daemon(), nullptr);
  EXPECT_EQ(twin.refusals(), 1);
  EXPECT_EQ(twin.daemon()->session.refusal(),
            "machine id m000 is in use by another machine: here 10.0.0.4 (boot boot-m000-1), there "
            "10.0.0.0 (boot boot-m000-1); give one of them another id");
  EXPECT_TRUE(world.machine(0).daemon()->session.is_registered());
}

TEST_F(ClusterTest, ALeaderThatSleptThroughItsLeaseWritesNothing) {
  settle_in();
  const size_t sleeper = leading();
  world.machine(sleeper).pause();
  world.run(10s);
  ASSERT_NE(leading(), sleeper);
  for (int i = 0; i < 5; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.run(1s);
  world.machine(sleeper).resume();
  world.run(30s);
  world.check_at_rest();
}

TEST_F(ClusterTest, AUnitThatMovedDuringAPartitionIsSingleAgainWithinFiveSeconds) {
  settle_in();
  world.put_unit("u.service", kText, TargetState::kLaunched);
  world.run(2s);
  const size_t at = index_of(where("u.service"));
  world.machine(at).cut();
  world.run(40s);
  EXPECT_NE(where("u.service"), world.machine(at).id());
  EXPECT_EQ(runners("u.service"), 2u) << "never stopped because of the network";
  world.machine(at).mend();
  world.run(5s);
  EXPECT_EQ(runners("u.service"), 1u);
}

TEST_F(ClusterTest, ADrainedMachinesUnitsRunAtTheNewPlaceBeforeTheOldOnesStop) {
  settle_in();
  for (int i = 0; i < 8; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.put_unit("once.service", std::string(kText) + "\n[X-Fleet]\nOnPartition=stop\n",
                 TargetState::kLaunched);
  world.run(2s);
  Machine& drained = world.machine(index_of(where("once.service")));
  world.edit_metadata(drained.id(), "fleet.cordon", "drain");
  for (int step = 0; step < 2000; ++step) {
    world.run(1ms);
    for (int i = 0; i < 8; ++i) ASSERT_GE(runners(fmt::format("u{}.service", i)), 1u);
  }
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(runners(fmt::format("u{}.service", i)), 1u);
    EXPECT_NE(where(fmt::format("u{}.service", i)), drained.id());
  }
  EXPECT_EQ(runners("once.service"), 1u);
  EXPECT_NE(where("once.service"), drained.id());
  world.check_at_rest();
  world.edit_metadata(drained.id(), "fleet.cordon", "");
  for (int i = 8; i < 12; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.run(2s);
  EXPECT_EQ(where("u8.service"), drained.id());
  world.check_at_rest();
}

TEST_F(ClusterTest, RebalancedUnitsRunAtTheNewPlaceBeforeTheOldOnesStop) {
  settle_in();
  std::set<std::string> others;
  for (size_t i = 1; i < world.size(); ++i) others.insert(world.machine(i).id());
  others.erase(world.machine(0).id());  // of its twin
  for (const std::string& id : others) world.edit_metadata(id, "fleet.cordon", "cordon");
  world.run(1s);
  for (int i = 0; i < 8; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.put_unit("once.service", std::string(kText) + "\n[X-Fleet]\nOnPartition=stop\n",
                 TargetState::kLaunched);
  world.run(2s);
  for (const std::string& id : others) world.edit_metadata(id, "fleet.cordon", "");
  world.run(1s);
  EXPECT_EQ(where("u0.service"), where("u7.service"));
  world.rebalance();
  for (int step = 0; step < 2000; ++step) {
    world.run(1ms);
    for (int i = 0; i < 8; ++i) ASSERT_GE(runners(fmt::format("u{}.service", i)), 1u);
    ASSERT_LE(runners("once.service"), 1u);
  }
  std::map<std::string, int> units;
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(runners(fmt::format("u{}.service", i)), 1u);
    ++units[where(fmt::format("u{}.service", i))];
  }
  EXPECT_EQ(runners("once.service"), 1u);
  ++units[where("once.service")];
  EXPECT_EQ(units.size(), others.size() + 1);
  for (const auto& [machine, count] : units) EXPECT_LE(count, 3) << machine;
  EXPECT_FALSE(world.truth().wants_rebalance);
  world.check_at_rest();
}

TEST_F(ClusterTest, WithoutTheStoreEverythingRunsOn) {
  settle_in();
  for (int i = 0; i < 8; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.run(2s);
  const auto schedule = world.truth().schedule;
  for (size_t i = 0; i < world.size(); ++i) world.machine(i).cut();
  world.run(200s);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(runners(fmt::format("u{}.service", i)), 1u);
  for (size_t i = 0; i < world.size(); ++i) world.machine(i).mend();
  world.run(60s);
  EXPECT_EQ(world.truth().schedule, schedule);
  world.check_at_rest();
}

TEST_F(ClusterTest, WhenMostMachinesVanishTheirUnitsWaitForOneMoreLeaseTime) {
  settle_in();
  for (int i = 0; i < 8; ++i) {
    world.put_unit(fmt::format("u{}.service", i), kText, TargetState::kLaunched);
  }
  world.run(2s);
  const size_t survivor = leading();
  for (size_t i = 0; i < 4; ++i) {
    if (i != survivor) world.machine(i).power_off();
  }
  world.run(9s);
  EXPECT_EQ(world.truth().machines.size(), 1u);
  // The first of them to vanish is believed to be dead; when the others follow, it is a storm.
  size_t waiting = 0;
  for (const auto& [unit, machines] : world.truth().schedule) {
    if (machines.begin()->first != world.machine(survivor).id()) ++waiting;
  }
  EXPECT_GE(waiting, 4u);
  world.run(8s);
  for (const auto& [unit, machines] : world.truth().schedule) {
    EXPECT_EQ(machines.begin()->first, world.machine(survivor).id());
  }
}

}  // namespace
}  // namespace flotilla::sim
