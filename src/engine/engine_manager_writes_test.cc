// How the leader's decisions get into the store. Over the memory store, in virtual time.
#include <algorithm>
#include <set>
#include <utility>

#include "engine/engine_manager_fixture.h"
#include "store/faulty_store.h"

namespace flotilla::engine {
namespace {

using std::chrono_literals::operator""ms;

constexpr size_t kUnits = 300;  // more than fit into two transactions

struct WritesTest : EngineManagerTest {
  WritesTest() {
    view.open();
    loop.advance(base::Micros(0));
    nodes["m1"] = std::make_unique<Node>(faulty, loop, "m1");
    loop.advance(1s);
    EXPECT_TRUE(nodes["m1"]->manager.is_leader());
  }
  static std::string name(size_t unit) { return "u" + std::to_string(unit) + ".service"; }
  void put_all(const std::function<void()>& meanwhile = [] {}) {
    for (size_t i = 0; i < kUnits; ++i) {
      registry.put_unit(name(i), {{"Service", "ExecStart", "/bin/x"}}, TargetState::kLaunched,
                        [](auto done) { EXPECT_TRUE(done); });
    }
    meanwhile();
    loop.advance(base::Micros(0));
  }
  size_t scheduled() const { return view.cluster().schedule.size(); }

  store::FaultyStore faulty{*store, loop};
  registry::ClusterView view{*store, loop, kPrefix};
};

TEST_F(WritesTest, UnitsThatBeginToBeScheduledWaitForNoAnswer) {
  faulty.delay_answers(1s);
  put_all();
  // The first units may have been decided on before the others were there.
  loop.advance(1s);
  loop.advance(200ms);
  EXPECT_EQ(scheduled(), kUnits);
}

TEST_F(WritesTest, WhereTheStoreIsSlowTransactionsFollowOneAfterTheOther) {
  faulty.delay_answers(1s);
  put_all();
  size_t before = scheduled();
  for (int i = 0; i < 200; ++i) {
    loop.advance(10ms);
    EXPECT_LE(scheduled() - before, store::kMaxTxnOps);
    before = scheduled();
  }
  EXPECT_EQ(before, kUnits);
}

TEST_F(WritesTest, WhatOneMachineGetsStandsTogether) {
  for (const char* id : {"m2", "m3", "m4", "m5", "m6", "m7", "m8"}) {
    nodes[id] = std::make_unique<Node>(faulty, loop, id);
  }
  loop.advance(1s);
  put_all();
  loop.advance(1s);
  ASSERT_EQ(scheduled(), kUnits);
  // A machine's units are in one transaction, or in two where the first was full.
  std::set<std::pair<std::string, store::Revision>> messages;
  for (const auto& [unit, machines] : view.cluster().schedule) {
    for (const auto& [id, entry] : machines) messages.emplace(id, entry.mod_revision);
  }
  EXPECT_LE(messages.size(), nodes.size() + kUnits / store::kMaxTxnOps + 1);
}

TEST_F(WritesTest, WhereTheStoreIsSlowUnitsThatKeepComingGoOutTogether) {
  faulty.delay_answers(400ms);
  for (size_t i = 0; i < kUnits; ++i) {
    registry.put_unit(name(i), {{"Service", "ExecStart", "/bin/x"}}, TargetState::kLaunched,
                      [](auto done) { EXPECT_TRUE(done); });
    loop.advance(10ms);
  }
  loop.advance(1s);
  ASSERT_EQ(scheduled(), kUnits);
  std::set<store::Revision> transactions;
  for (const auto& [unit, machines] : view.cluster().schedule) {
    for (const auto& [id, entry] : machines) transactions.insert(entry.mod_revision);
  }
  // The first unit alone, what came until that was answered, and the rest of 3 s: an answer and
  // three times as long make 1.6 s.
  EXPECT_LE(transactions.size(), 5U);
}

TEST_F(WritesTest, WhatIsTakenAwayGoesInOrderOneTransactionAfterTheOther) {
  put_all();
  loop.advance(1s);
  ASSERT_EQ(scheduled(), kUnits);
  faulty.delay_answers(1s);
  for (size_t i = 0; i < kUnits; ++i) {
    registry.set_desired(name(i), TargetState::kInactive, [](auto done) { EXPECT_TRUE(done); });
  }
  loop.advance(base::Micros(0));
  size_t turns = 0;
  for (size_t before = kUnits; before > 0; ++turns) {
    ASSERT_LT(turns, 20U);
    const size_t now = scheduled();
    EXPECT_LE(before - now, store::kMaxTxnOps);
    before = now;
    loop.advance(1s);
  }
  EXPECT_GE(turns, kUnits / store::kMaxTxnOps);
}

TEST_F(WritesTest, WhenOneOfThemIsNotDoneAllThatIsMissingIsDecidedAnew) {
  faulty.delay_answers(1s);
  put_all([&] { faulty.refuse_calls(2); });
  loop.advance(10s);
  EXPECT_EQ(scheduled(), kUnits);
}

TEST_F(WritesTest, WhenAnswersGetLostAllIsScheduledOnceInTheEnd) {
  faulty.delay_answers(1s);
  put_all([&] { faulty.lose_answers(2); });
  loop.advance(10s);
  EXPECT_EQ(scheduled(), kUnits);
  EXPECT_GT(nodes["m1"]->manager.counters().failed_writes, 0U);
  for (const auto& [unit, machines] : view.cluster().schedule) EXPECT_EQ(machines.size(), 1U);
}

}  // namespace
}  // namespace flotilla::engine
