// The leader moves what has failed. Over the memory store, in virtual time.
#include "engine/engine_manager_fixture.h"

namespace flotilla::engine {
namespace {

struct FailureTest : EngineManagerTest {
  FailureTest() {
    for (const char* id : {"m1", "m2", "m3"}) start(id);
    loop.advance(60s);
    put("a.service", TargetState::kLaunched,
        {{"Service", "ExecStart", "/bin/x"}, {"X-Fleet", "RescheduleOnFailure", "2"}});
  }
  // As the agent where it is tells it; what an earlier one told goes with the unit.
  void tell(const std::string& active, uint64_t since = 0) {
    const std::string at = where("a.service");
    for (const auto& [id, node] : nodes) {
      if (id == at) continue;
      registry.delete_states(id, {"a.service"}, [](auto) {});
    }
    registry::UnitState state;
    state.name = "a.service";
    state.machine = at;
    state.hash = nodes.begin()->second->view.cluster().units.at("a.service").hash;
    state.active_state = active;
    state.active_enter_usec = since;
    state.launched = true;
    registry.put_states({state}, nodes.at(at)->session.lease(),
                        [](auto done) { EXPECT_TRUE(done); });
    loop.advance(base::Micros(0));
  }
  uint32_t moves() {
    registry::ClusterView view(*store, loop, kPrefix);
    view.open();
    loop.advance(base::Micros(0));
    const auto history = view.cluster().histories.find("a.service");
    return history == view.cluster().histories.end() ? 0 : history->second.moves;
  }
};

TEST_F(FailureTest, GoesToAnotherMachineAtMostSoOftenWithAPauseBetween) {
  const std::string first = where("a.service");
  tell("failed");
  const std::string second = where("a.service");
  EXPECT_NE(second, first);
  EXPECT_EQ(moves(), 1u);
  tell("failed");
  loop.advance(9s);
  EXPECT_EQ(where("a.service"), second);
  loop.advance(1s);
  const std::string third = where("a.service");
  EXPECT_NE(third, second);
  EXPECT_EQ(moves(), 2u);
  tell("failed");
  loop.advance(1000s);
  EXPECT_EQ(where("a.service"), third);
  EXPECT_EQ(moves(), 2u);
  put("a.service", TargetState::kInactive,
      {{"Service", "ExecStart", "/bin/x"}, {"X-Fleet", "RescheduleOnFailure", "2"}});
  EXPECT_EQ(moves(), 0u) << "another target state";
}

TEST_F(FailureTest, ANewLeaderKnowsTheCountAndThePause) {
  tell("failed");
  loop.advance(4s);
  tell("failed");
  const std::string at = where("a.service");
  ASSERT_NE(at, "m1");
  ASSERT_TRUE(nodes["m1"]->manager.is_leader());
  bool is_done = false;
  nodes["m1"]->manager.resign([&] { is_done = true; });
  loop.advance(1s);
  ASSERT_TRUE(is_done);
  EXPECT_EQ(where("a.service"), at);
  loop.advance(4s);
  EXPECT_EQ(where("a.service"), at);
  loop.advance(1s);
  EXPECT_NE(where("a.service"), at);
  EXPECT_EQ(moves(), 2u);
}

TEST_F(FailureTest, WhatHasBeenActiveForLongBeginsAnew) {
  tell("failed");
  tell("active", 1);
  loop.advance(599s);
  EXPECT_EQ(moves(), 1u);
  loop.advance(1s);
  EXPECT_EQ(moves(), 0u);
  const auto passes = nodes["m1"]->manager.counters().passes;
  loop.advance(100000s);
  EXPECT_EQ(nodes["m1"]->manager.counters().passes, passes) << "nothing polls";
}

TEST_F(FailureTest, StaysWhereNoOtherMachineCanTakeItAndGoesWhenOneCan) {
  const std::string at = where("a.service");
  const auto cordon = [&](const std::string& how) {
    for (const auto& [id, node] : nodes) {
      if (id != at) registry.edit_metadata(id, "fleet.cordon", how, [](auto) {});
    }
    loop.advance(base::Micros(0));
  };
  cordon("cordon");
  tell("failed");
  loop.advance(1000s);
  EXPECT_EQ(where("a.service"), at);
  EXPECT_EQ(moves(), 0u);
  cordon("");
  EXPECT_NE(where("a.service"), at);
  EXPECT_EQ(moves(), 1u);
}

}  // namespace
}  // namespace flotilla::engine
