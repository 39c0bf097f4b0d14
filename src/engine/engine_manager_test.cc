#include "engine/engine_manager_fixture.h"
#include "registry/codec.h"
#include "registry/raw_record.h"
#include "store/faulty_store.h"
#include "store/metered_store.h"

namespace flotilla::engine {
namespace {

TEST_F(EngineManagerTest, ASingleMachineLeadsAndSchedulesAtOnce) {
  put("a.service");
  nodes["m1"] = std::make_unique<Node>(*store, loop, "m1");
  loop.advance(base::Micros(0));
  EXPECT_EQ(leaders(), 1);
  EXPECT_EQ(where("a.service"), "m1");
  put("b.service");
  EXPECT_EQ(where("b.service"), "m1");
  put("b.service", TargetState::kInactive);
  EXPECT_EQ(where("b.service"), "");
}

TEST_F(EngineManagerTest, WhenTheLeaderDiesAnotherLeadsAndMovesItsUnits) {
  start("m1");
  start("m2");
  start("m3");
  EXPECT_EQ(leaders(), 1);
  EXPECT_TRUE(nodes["m1"]->manager.is_leader());
  loop.advance(60s);
  put("a.service");
  ASSERT_EQ(where("a.service"), "m1");
  nodes.erase("m1");
  loop.advance(15s);
  EXPECT_EQ(where("a.service"), "m1");
  loop.advance(20s);
  EXPECT_EQ(leaders(), 1);
  EXPECT_EQ(where("a.service"), "m2");
}

TEST_F(EngineManagerTest, OnlyTheLeaderHoldsTheView) {
  Node& first = start("m1");
  Node& second = start("m2");
  put("a.service");
  EXPECT_TRUE(first.view.is_ready());
  EXPECT_FALSE(second.view.has_data());
  first.manager.resign([] {});
  loop.advance(1s);
  ASSERT_TRUE(second.manager.is_leader());
  EXPECT_TRUE(second.view.is_ready());
  EXPECT_TRUE(second.view.cluster().units.contains("a.service"));
}

TEST_F(EngineManagerTest, OneThatStandsDownLeadsAgainOnlyWhenItStandsAgain) {
  Node& only = start("m1");
  put("a.service");
  ASSERT_EQ(where("a.service"), "m1");
  only.manager.stand_down();
  loop.advance(100s);
  EXPECT_FALSE(only.manager.is_leader());
  EXPECT_FALSE(only.view.has_data());
  put("b.service");
  EXPECT_EQ(where("b.service"), "");
  Node& second = start("m2");
  EXPECT_TRUE(second.manager.is_leader()) << "the lead was given up, not kept with the lease";
  nodes.erase("m2");
  loop.advance(60s);
  EXPECT_FALSE(only.manager.is_leader());
  only.manager.stand_again();
  loop.advance(60s);
  EXPECT_TRUE(only.manager.is_leader());
  EXPECT_EQ(where("b.service"), "m1");
}

TEST_F(EngineManagerTest, TheLeadIsGivenUpAgainWhereTheStoreDidNotAnswer) {
  store::FaultyStore faulty(*store, loop);
  Node node(faulty, loop, "m1");
  loop.advance(1s);
  ASSERT_TRUE(node.manager.is_leader());
  faulty.refuse_calls(2);
  node.manager.stand_down();
  loop.advance(5s);
  EXPECT_TRUE(start("m2").manager.is_leader());
}

TEST_F(EngineManagerTest, ALeadThatIsUnheardYetIsGivenUp) {
  std::unique_ptr<Node> node;
  store::WatchHandler handler;
  handler.on_events = [&](const store::WatchBatch& batch) {
    if (batch.events.empty() || !node) return;
    EXPECT_FALSE(node->manager.is_leader()) << "we hear of it first";
    node->manager.stand_down();
  };
  const auto watch = store->watch({.key = "/flotilla/leader"}, std::move(handler));
  node = std::make_unique<Node>(*store, loop, "m1");
  loop.advance(5s);
  EXPECT_EQ(leader(), "");
}

TEST_F(EngineManagerTest, ALeadWhoseKeyWasWrittenAnewIsGivenUp) {
  store::FaultyStore faulty(*store, loop);
  Node node(faulty, loop, "m1");
  loop.advance(1s);
  ASSERT_TRUE(node.manager.is_leader());
  store->range({.key = "/flotilla/leader"}, [&](const auto& found) {
    store::TxnRequest txn;
    const store::KeyValue& record = found->kvs.front();
    txn.then_ops.emplace_back(store::PutOp{record.key, record.value, record.lease});
    store->txn(std::move(txn), [](const auto& done) { EXPECT_TRUE(done); });
    node.manager.stand_down();
  });
  loop.advance(5s);
  EXPECT_EQ(leader(), "");
}

TEST_F(EngineManagerTest, ADeposedLeaderLetsTheViewGoAndMayLeadAgain) {
  Node& first = start("m1");
  Node& second = start("m2");
  const std::string key = registry::Keys(kPrefix).leader();
  registry::Leader leader;
  leader.machine = "m2";
  leader.nonce = "n";
  store::TxnRequest txn;
  txn.then_ops.emplace_back(store::PutOp{key, registry::encode(leader), second.session.lease()});
  store->txn(std::move(txn), [](auto done) { EXPECT_TRUE(done); });
  loop.advance(1s);
  EXPECT_FALSE(first.manager.is_leader());
  EXPECT_FALSE(first.view.has_data());
  EXPECT_TRUE(second.manager.is_leader());
  put("a.service");
  EXPECT_NE(where("a.service"), "");
  nodes.erase("m2");
  loop.advance(60s);
  EXPECT_TRUE(first.manager.is_leader());
  EXPECT_TRUE(first.view.is_ready());
  EXPECT_EQ(where("a.service"), "m1");
}

TEST_F(EngineManagerTest, ALeaderKeyThatCannotBeReadIsSomebodysWhileItsLeaseLasts) {
  const std::string key = registry::Keys(kPrefix).leader();
  store::LeaseId lease = 0;
  store->grant_lease(100s, [&](auto grant) { lease = grant->lease; });
  loop.settle();
  store::TxnRequest txn;
  txn.then_ops.emplace_back(store::PutOp{key, "no leader", lease});
  store->txn(std::move(txn), [](auto done) { EXPECT_TRUE(done); });
  loop.settle();
  start("m1");
  loop.advance(90s);
  EXPECT_EQ(leaders(), 0);
  loop.advance(20s);
  EXPECT_EQ(leaders(), 1);
}

TEST_F(EngineManagerTest, ALeaderKeyThatSomebodyHasWrittenByHandIsNobodys) {
  registry::Leader other;
  other.machine = "m9";
  put("a.service");
  for (const std::string& text : {std::string("no leader"), registry::encode(other)}) {
    registry::write_raw_record(*store, registry::Keys(kPrefix).leader(), text);
    loop.settle();
    start("m1");
    EXPECT_EQ(leaders(), 1);
    EXPECT_EQ(where("a.service"), "m1");
    // Also beside one that leads.
    registry::write_raw_record(*store, registry::Keys(kPrefix).leader(), text);
    loop.advance(5s);
    EXPECT_EQ(leaders(), 1);
    nodes.clear();
    loop.advance(100s);
  }
}

TEST_F(EngineManagerTest, ANewLeaderDoubtsAbsenceUntilItHasWatchedForALeaseTime) {
  start("m1");
  put("a.service");
  nodes.erase("m1");
  loop.advance(40s);
  start("m2");
  EXPECT_TRUE(nodes["m2"]->manager.is_leader());
  EXPECT_EQ(where("a.service"), "m1");
  put("b.service");
  EXPECT_EQ(where("b.service"), "m2");
  loop.advance(30s);
  EXPECT_EQ(where("a.service"), "m2");
}

TEST_F(EngineManagerTest, ARestartedDaemonLeadsOnAndMovesNothing) {
  start("m1");
  start("m2");
  loop.advance(60s);
  for (int i = 0; i < 10; ++i) put("u" + std::to_string(i) + ".service");
  const auto places = [&] {
    std::map<std::string, std::string> all;
    for (int i = 0; i < 10; ++i) {
      const std::string unit = fmt::format("u{}.service", i);
      all[unit] = where(unit);
    }
    return all;
  };
  const auto before = places();
  nodes.erase("m1");
  loop.advance(5s);
  start("m1", "n2");
  loop.advance(100s);
  EXPECT_TRUE(nodes["m1"]->manager.is_leader());
  EXPECT_EQ(leaders(), 1);
  EXPECT_EQ(places(), before);
}

TEST_F(EngineManagerTest, ManyUnitsAreWrittenInPieces) {
  for (int i = 0; i < 500; ++i) {
    registry.put_unit("u" + std::to_string(i) + ".service",
                      {{"Service", "ExecStart", std::string(3000, 'x')}}, TargetState::kLaunched,
                      [](auto r) { EXPECT_TRUE(r); });
  }
  loop.settle();
  Node& node = start("m1");
  EXPECT_EQ(node.view.cluster().schedule.size(), 500u);
  EXPECT_EQ(node.manager.counters().scheduled, 500u);
}

TEST_F(EngineManagerTest, AnIdleClusterMakesNoPasses) {
  start("m1");
  start("m2");
  put("a.service");
  loop.advance(60s);
  const auto passes = nodes["m1"]->manager.counters().passes;
  loop.advance(100000s);
  EXPECT_EQ(nodes["m1"]->manager.counters().passes, passes);
}

TEST(EngineCost, APassReadsNothingAndWritesWhatItDecides) {
  base::FakeEventLoop loop;
  store::MeteredStore store(store::make_memory_store(loop), loop);
  registry::Registry registry(store, kPrefix);
  Node node(store, loop, "m1");
  loop.advance(1s);
  const store::StoreFigures& figures = store.figures();
  const auto requests = [&] {
    return std::vector<uint64_t>{figures.get.count, figures.get_all.count, figures.set.count,
                                 figures.watches};
  };
  std::vector<uint64_t> before = requests();
  registry.put_unit("a.service", {{"Service", "ExecStart", "/bin/x"}}, TargetState::kLaunched,
                    [](auto r) { EXPECT_TRUE(r); });
  loop.advance(1s);
  before[2] += 2;  // the unit, and its place in the schedule
  EXPECT_EQ(requests(), before);
  loop.advance(100000s);
  EXPECT_EQ(requests(), before) << "a steady state asks the store for nothing";
}

TEST_F(EngineManagerTest, WhatVanishesWithTheLeaderIsAStormToTheNextOne) {
  for (const char* id : {"m1", "m2", "m3", "m4"}) start(id);
  for (int i = 0; i < 8; ++i) put("u" + std::to_string(i) + ".service");
  loop.advance(100s);
  nodes.erase("m1");
  nodes.erase("m2");
  loop.advance(35s);
  EXPECT_TRUE(nodes["m3"]->manager.is_leader() || nodes["m4"]->manager.is_leader());
  const auto count_away = [&] {
    int count = 0;
    for (const auto& [unit, machines] : nodes["m3"]->view.cluster().schedule) {
      if (machines.contains("m1") || machines.contains("m2")) ++count;
    }
    return count;
  };
  EXPECT_GT(count_away(), 0) << "those of the one that vanished last";
  loop.advance(30s);
  EXPECT_EQ(count_away(), 0);
}

TEST_F(EngineManagerTest, TheLeaderMovesUnitsWhenItIsAskedTo) {
  start("m1");
  for (int i = 0; i < 200; ++i) put(fmt::format("u{}.service", i));
  start("m2");
  const auto moving = [&] {
    registry::ClusterView view(*store, loop, kPrefix);
    view.open();
    loop.advance(base::Micros(0));
    int count = view.cluster().wants_rebalance ? 1000 : 0;
    for (const auto& [unit, machines] : view.cluster().schedule) {
      if (machines.size() == 2 && machines.at("m1").is_leaving) ++count;
    }
    return count;
  };
  EXPECT_EQ(moving(), 0);
  store::TxnRequest ask;
  ask.then_ops.emplace_back(store::PutOp{registry::Keys(kPrefix).rebalance(), "{}"});
  store->txn(std::move(ask), [](auto done) { EXPECT_TRUE(done); });
  loop.advance(base::Micros(0));
  EXPECT_EQ(moving(), 100) << "in two transactions, and the request is gone";
}

}  // namespace
}  // namespace flotilla::engine
