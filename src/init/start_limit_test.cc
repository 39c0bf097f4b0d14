#include "init/start_limit.h"

#include <gtest/gtest.h>

namespace flotilla::init {
namespace {

using base::Micros;
using base::MonotonicTime;

MonotonicTime at(int64_t usec) { return MonotonicTime{Micros(usec)}; }

TEST(StartLimit, AdmitsBurstStartsAndRefusesTheNext) {
  StartLimit limit;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit.admit(at(1000 + i), Micros(10'000'000), 5));
  EXPECT_FALSE(limit.admit(at(2000), Micros(10'000'000), 5));
  EXPECT_FALSE(limit.admit(at(1000 + 10'000'000), Micros(10'000'000), 5));
}

TEST(StartLimit, OpensANewWindowAfterTheInterval) {
  StartLimit limit;
  EXPECT_TRUE(limit.admit(at(1000), Micros(100), 1));
  EXPECT_FALSE(limit.admit(at(1100), Micros(100), 1));
  EXPECT_TRUE(limit.admit(at(1101), Micros(100), 1));
  EXPECT_FALSE(limit.admit(at(1102), Micros(100), 1));
}

TEST(StartLimit, ARefusedStartDoesNotProlongTheWindow) {
  StartLimit limit;
  EXPECT_TRUE(limit.admit(at(1), Micros(100), 1));
  for (int t = 2; t <= 101; ++t) EXPECT_FALSE(limit.admit(at(t), Micros(100), 1));
  EXPECT_TRUE(limit.admit(at(102), Micros(100), 1));
}

TEST(StartLimit, ZeroIntervalOrBurstSwitchesItOff) {
  StartLimit limit;
  for (int i = 1; i < 100; ++i) {
    EXPECT_TRUE(limit.admit(at(i), Micros(0), 1));
    EXPECT_TRUE(limit.admit(at(i), Micros(100), 0));
  }
}

TEST(StartLimit, ResetForgetsTheStarts) {
  StartLimit limit;
  EXPECT_TRUE(limit.admit(at(1), Micros(100), 1));
  limit.reset();
  EXPECT_TRUE(limit.admit(at(2), Micros(100), 1));
}

}  // namespace
}  // namespace flotilla::init
