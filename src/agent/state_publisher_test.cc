#include "agent/state_publisher.h"

#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/cluster_view.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/raw_record.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr const char* kPrefix = "/flotilla";

struct StatePublisherTest : testing::Test {
  StatePublisherTest() {
    view.open();
    // Of an earlier run, whose states may still be there.
    registry::write_raw_record(*store, registry::Keys(kPrefix).machine("m1"),
                               registry::encode(machine()));
    loop.advance(base::Micros(0));
    session.start();
    loop.advance(base::Micros(0));
  }
  static registry::Machine machine() {
    registry::Machine self;
    self.id = "m1";
    return self;
  }
  static registry::UnitState state(const std::string& active, int changes = 0) {
    registry::UnitState made;
    made.name = "a.service";
    made.hash = "h";
    made.active_state = active;
    made.sub_state = std::to_string(changes);
    return made;
  }
  void leave_state_of(const std::string& unit) {
    registry::UnitState state;
    state.hash = "h";
    store::TxnRequest txn;
    txn.then_ops.emplace_back(store::PutOp{registry::Keys(kPrefix).state(unit, "m1"),
                                           registry::encode(state), session.lease()});
    store->txn(std::move(txn), [](const auto& done) { EXPECT_TRUE(done); });
    loop.advance(base::Micros(0));
  }
  bool has_state_of(const std::string& unit) const { return view.cluster().states.contains(unit); }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  store::FaultyStore faulty{*store, loop};
  registry::ClusterView view{*store, loop, kPrefix};
  registry::MachineSession session{*store, loop, kPrefix, machine(), {30s, true}};
  registry::Registry registry{faulty, kPrefix};
  StatePublisher publisher{registry, loop, session};
};

TEST_F(StatePublisherTest, AStateThatIsFollowedByAnotherAtOnceIsNotWritten) {
  publisher.on_session_change();
  loop.advance(1s);
  const size_t before = faulty.calls();
  publisher.publish(state("activating"), Lasting::kUnlikely);
  publisher.on_session_change();
  loop.advance(5ms);
  EXPECT_FALSE(has_state_of("a.service"));
  publisher.publish(state("active"));
  loop.advance(base::Micros(0));
  EXPECT_EQ(view.cluster().states.at("a.service").at("m1").active_state, "active");
  loop.advance(1s);
  EXPECT_EQ(faulty.calls() - before, 1U);
}

TEST_F(StatePublisherTest, AStateThatIsNotFollowedByAnotherIsWrittenSoon) {
  publisher.on_session_change();
  loop.advance(1s);
  for (int i = 0; i < 10; ++i) {
    publisher.publish(state("activating", i), Lasting::kUnlikely);
    loop.advance(5ms);
  }
  EXPECT_EQ(view.cluster().states.at("a.service").at("m1").active_state, "activating");
}

TEST_F(StatePublisherTest, AStoreThatIsSlowGetsFewerLargerWrites) {
  publisher.on_session_change();
  loop.advance(1s);
  faulty.delay_answers(100ms);
  const size_t before = faulty.calls();
  // The first at once, then one write for all that changes in three times the time it took.
  for (int i = 0; i < 80; ++i) {
    publisher.publish(state("active", i));
    loop.advance(10ms);
    EXPECT_TRUE(has_state_of("a.service"));
  }
  EXPECT_EQ(faulty.calls() - before, 3U);
  loop.advance(300ms);
  EXPECT_EQ(view.cluster().states.at("a.service").at("m1").sub_state, "79");
  faulty.delay_answers(base::Micros(0));
  loop.advance(1s);
  publisher.publish(state("active", 100));
  loop.advance(base::Micros(0));
  publisher.publish(state("active", 101));
  loop.advance(base::Micros(0));
  EXPECT_EQ(view.cluster().states.at("a.service").at("m1").sub_state, "101")
      << "one that answers at once is told at once";
}

TEST_F(StatePublisherTest, NoPauseIsLong) {
  publisher.on_session_change();
  loop.advance(1s);
  faulty.delay_answers(10s);
  publisher.publish(state("active", 0));
  loop.advance(5s);
  publisher.publish(state("active", 1));
  loop.advance(5s);
  EXPECT_EQ(view.cluster().states.at("a.service").at("m1").sub_state, "0");
  loop.advance(1s);
  EXPECT_EQ(view.cluster().states.at("a.service").at("m1").sub_state, "1");
}

TEST_F(StatePublisherTest, WhatCouldNotBeWrittenIsWrittenLater) {
  publisher.on_session_change();
  loop.advance(1s);
  faulty.refuse_calls(1);
  publisher.publish(state("activating"), Lasting::kUnlikely);
  loop.advance(100ms);
  EXPECT_FALSE(has_state_of("a.service"));
  loop.advance(2s);
  EXPECT_TRUE(has_state_of("a.service"));
}

TEST_F(StatePublisherTest, LooksAgainForWhatAnEarlierRunLeftWhenItCouldNotLook) {
  ASSERT_TRUE(session.is_registered());
  leave_state_of("gone.service");
  ASSERT_TRUE(has_state_of("gone.service"));
  faulty.refuse_calls(2);
  publisher.on_session_change();
  loop.advance(base::Micros(0));
  EXPECT_TRUE(has_state_of("gone.service"));
  loop.advance(3s);
  EXPECT_FALSE(has_state_of("gone.service"));
  const size_t calls = faulty.calls();
  loop.advance(3600s);
  EXPECT_EQ(faulty.calls(), calls) << "once found, nobody looks again";
}

TEST_F(StatePublisherTest, LooksThroughNoStatesWhereNoEarlierRunCanHaveLeftAny) {
  store->revoke_lease(session.lease(), [](const auto& done) { EXPECT_TRUE(done); });
  loop.advance(60s);
  ASSERT_TRUE(session.is_registered());
  const size_t calls = faulty.calls();
  publisher.on_session_change();
  loop.advance(60s);
  EXPECT_EQ(faulty.calls(), calls + 1) << "its own record alone";
}

}  // namespace
}  // namespace flotilla::agent
