#include "engine/pacing.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

using namespace std::chrono_literals;

struct PacingTest : ::testing::Test {
  static base::MonotonicTime at(base::Micros time) { return {time}; }
  Pacing pacing;
};

TEST_F(PacingTest, NothingWaitsBeforeTheFirstAnswer) {
  pacing.on_sent(at(100s));
  EXPECT_EQ(pacing.wait(at(100s)), 0us);
}

TEST_F(PacingTest, TheNextOneFollowsAfterThreeTimesAsLongAsTheLastAnswerTook) {
  pacing.on_answer(2ms);
  pacing.on_sent(at(100s));
  EXPECT_EQ(pacing.wait(at(100s + 1ms)), 5ms);
  EXPECT_EQ(pacing.wait(at(100s + 6ms)), 0us);
  EXPECT_EQ(pacing.wait(at(200s)), 0us);
}

TEST_F(PacingTest, AnAnswerThatTookLongIsNotWaitedFor) {
  pacing.on_answer(20s);
  pacing.on_sent(at(100s));
  EXPECT_EQ(pacing.wait(at(100s)), 30ms);
  pacing.on_sent(at(100s + 30ms));
  EXPECT_EQ(pacing.wait(at(100s + 30ms)), 30ms);
}

TEST_F(PacingTest, AStoreThatIsFastAgainIsBelievedAtOnce) {
  pacing.on_answer(20s);
  pacing.on_sent(at(100s));
  pacing.on_answer(1ms);
  EXPECT_EQ(pacing.wait(at(100s + 2ms)), 1ms);
}

}  // namespace
}  // namespace flotilla::engine
