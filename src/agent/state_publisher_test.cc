#include "agent/state_publisher.h"

#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/cluster_view.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;

constexpr const char* kPrefix = "/flotilla";

struct StatePublisherTest : testing::Test {
  StatePublisherTest() {
    view.open();
    session.start();
    loop.advance(base::Micros(0));
  }
  static registry::Machine machine() {
    registry::Machine self;
    self.id = "m1";
    return self;
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

}  // namespace
}  // namespace flotilla::agent
