#include "agent/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fake_event_loop.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using testing::ElementsAre;

struct BatchTest : testing::Test {
  base::FakeEventLoop loop;
  std::vector<std::vector<int>> calls;
  std::vector<Batch<int>::Ended> ends;
  Batch<int> batch{loop, 3, 2s, [this](std::vector<int> items, Batch<int>::Ended ended) {
                     calls.push_back(std::move(items));
                     ends.push_back(std::move(ended));
                   }};
  void add(int from, int to) {
    for (int i = from; i <= to; ++i) batch.add(i);
    loop.settle();
  }
};

TEST_F(BatchTest, GathersWhatComesInOneTurnAndWhileACallIsUnderWay) {
  add(1, 5);
  EXPECT_THAT(calls, ElementsAre(ElementsAre(1, 2, 3)));
  add(6, 6);
  EXPECT_EQ(calls.size(), 1u);
  ends[0]();
  loop.settle();
  ends[1]();
  loop.settle();
  EXPECT_THAT(calls, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4, 5, 6)));
}

TEST_F(BatchTest, ACallThatTakesLongHoldsUpNobody) {
  add(1, 1);
  add(2, 3);
  loop.advance(2s);
  loop.settle();
  EXPECT_THAT(calls, ElementsAre(ElementsAre(1), ElementsAre(2, 3)));
  add(4, 4);
  ends[0]();
  loop.settle();
  EXPECT_EQ(calls.size(), 2u) << "the second one is quick so far";
  ends[1]();
  loop.settle();
  EXPECT_THAT(calls.back(), ElementsAre(4));
  loop.advance(60s);
  add(5, 5);
  EXPECT_THAT(calls.back(), ElementsAre(5));
}

TEST_F(BatchTest, NothingIsLeftOfACallThatHasEnded) {
  add(1, 1);
  ends[0]();
  loop.settle();
  EXPECT_EQ(loop.next_deadline(), base::MonotonicTime::never());
}

}  // namespace
}  // namespace flotilla::agent
