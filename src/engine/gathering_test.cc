#include "engine/gathering.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

using namespace std::chrono_literals;

struct GatheringTest : ::testing::Test {
  static base::MonotonicTime at(base::Micros time) { return {time}; }
  Gathering gathering;
};

TEST_F(GatheringTest, NothingWaitsBeforeTheFirstAnswer) {
  gathering.on_new_units(at(100s));
  EXPECT_EQ(gathering.wait(at(100s)), 0us);
}

TEST_F(GatheringTest, UnitsThatKeepComingWaitThreeTimesAsLongAsTheLastAnswerTook) {
  gathering.on_answer(at(100s), 400ms);
  for (auto time = 100s + 0ms; time < 101s + 200ms; time += 10ms) {
    gathering.on_new_units(at(time));
    EXPECT_GT(gathering.wait(at(time)), 0us);
  }
  EXPECT_EQ(gathering.wait(at(101s + 190ms)), 10ms);
  EXPECT_EQ(gathering.wait(at(101s + 200ms)), 0us);
}

TEST_F(GatheringTest, NobodyWaitsForUnitsThatDoNotCome) {
  gathering.on_answer(at(100s), 400ms);
  gathering.on_new_units(at(100s + 10ms));
  EXPECT_EQ(gathering.wait(at(100s + 10ms)), 50ms);
  EXPECT_EQ(gathering.wait(at(100s + 60ms)), 0us);
}

TEST_F(GatheringTest, AnAnswerThatTookVeryLongIsWaitedForNoLongerThanTwoSeconds) {
  gathering.on_answer(at(100s), 20s);
  gathering.on_new_units(at(101s + 900ms));
  EXPECT_EQ(gathering.wait(at(101s + 900ms)), 100ms);
}

TEST_F(GatheringTest, OfAnAnswerOfLongAgoNobodyKnows) {
  gathering.on_answer(at(100s), 400ms);
  gathering.on_new_units(at(103s));
  EXPECT_EQ(gathering.wait(at(103s)), 0us);
}

TEST_F(GatheringTest, WhatMustNotWaitIsNotHeldUpByUnitsThatComeLater) {
  gathering.on_answer(at(100s), 400ms);
  gathering.on_new_units(at(100s));
  gathering.hurry();
  gathering.on_new_units(at(100s));
  EXPECT_EQ(gathering.wait(at(100s)), 0us);
  gathering.on_decision();
  gathering.on_new_units(at(100s));
  EXPECT_EQ(gathering.wait(at(100s)), 50ms);
}

}  // namespace
}  // namespace flotilla::engine
