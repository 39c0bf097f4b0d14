#include "registry/view_on_demand.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/fake_event_loop.h"
#include "registry/registry.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace flotilla::registry {
namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;

struct ViewOnDemandTest : testing::Test {
  ViewOnDemandTest() {
    registry.put_unit("a.service", {{"Service", "ExecStart", "/bin/x"}}, TargetState::kLoaded,
                      [](const auto& put) { EXPECT_TRUE(put); });
    loop.settle();
  }
  std::optional<bool> wait_for_it() {
    std::optional<bool> answer;
    on_demand.when_there([&](bool is_there) { answer = is_there; });
    loop.advance(11s);
    return answer;
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> inner = store::make_memory_store(loop);
  store::FaultyStore store{*inner, loop};
  Registry registry{store, "/flotilla"};
  ClusterView view{store, loop, "/flotilla"};
  ViewOnDemand on_demand{view, loop, 5min};
};

TEST_F(ViewOnDemandTest, TheFirstUseOpensTheView) {
  loop.advance(60s);
  EXPECT_FALSE(view.has_data());
  EXPECT_EQ(wait_for_it(), true);
  EXPECT_TRUE(view.cluster().units.contains("a.service"));
  EXPECT_TRUE(on_demand.use());
}

TEST_F(ViewOnDemandTest, ItIsClosedWhenNobodyHasUsedItForAWhile) {
  wait_for_it();
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(on_demand.use()) << "each use puts the end off";
    loop.advance(4min);
  }
  loop.advance(1min);
  EXPECT_FALSE(view.has_data());
  EXPECT_TRUE(view.cluster().units.empty());
  EXPECT_EQ(loop.armed_timers(), 0U) << "nothing is left behind that wakes up";
  EXPECT_EQ(wait_for_it(), true);
}

TEST_F(ViewOnDemandTest, SomebodyElsesHoldKeepsTheViewOpen) {
  base::RegistrationPtr hold = view.hold();
  wait_for_it();
  loop.advance(20min);
  EXPECT_TRUE(view.is_ready());
  hold.reset();
  EXPECT_TRUE(view.is_ready()) << "not from inside the call";
  hold = view.hold();
  loop.settle();
  EXPECT_TRUE(view.is_ready()) << "somebody holds it again";
  hold.reset();
  loop.settle();
  EXPECT_FALSE(view.has_data());
}

TEST_F(ViewOnDemandTest, AUseThatCannotBeServedIsToldSo) {
  store.partition();
  EXPECT_EQ(wait_for_it(), false);
  store.heal();
  EXPECT_EQ(wait_for_it(), true);
  store.partition();
  EXPECT_EQ(wait_for_it(), true) << "what was last known goes on being told";
}

TEST_F(ViewOnDemandTest, AHoldMayOutliveTheView) {
  auto other = std::make_unique<ClusterView>(store, loop, "/flotilla");
  const base::RegistrationPtr hold = other->hold();
  other.reset();
  loop.settle();
}

}  // namespace
}  // namespace flotilla::registry
