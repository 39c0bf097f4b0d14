#include "base/fake_event_loop.h"

#include <gtest/gtest.h>

#include <vector>

namespace flotilla::base {
namespace {

TEST(FakeEventLoop, FiresTimersInOrderOfTheirDeadlines) {
  FakeEventLoop loop;
  std::vector<int> fired;
  auto late = loop.after(Micros(20), [&] { fired.push_back(2); });
  auto early = loop.after(Micros(10), [&] { fired.push_back(1); });
  loop.advance(Micros(15));
  EXPECT_EQ(fired, (std::vector<int>{1}));
  loop.advance(Micros(15));
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  EXPECT_EQ(loop.armed_timers(), 0U);
}

TEST(FakeEventLoop, AnEndedRegistrationNeverFires) {
  FakeEventLoop loop;
  bool fired = false;
  auto timer = loop.after(Micros(10), [&] { fired = true; });
  timer.reset();
  loop.advance(Micros(100));
  EXPECT_FALSE(fired);
}

TEST(FakeEventLoop, RunsPostsBeforeTimeMovesOn) {
  FakeEventLoop loop;
  std::vector<int> order;
  auto timer = loop.after(Micros(1), [&] { order.push_back(2); });
  loop.post([&] { order.push_back(1); });
  loop.advance(Micros(1));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace flotilla::base
