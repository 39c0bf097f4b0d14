#include "engine/storm_guard.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

using base::MonotonicTime;
using std::chrono_literals::operator""s;

MonotonicTime at(base::Micros seconds) { return {seconds}; }

StormGuard::Present there(std::initializer_list<const char*> machines) {
  StormGuard::Present present;
  for (const char* machine : machines) present.emplace(machine, 1);
  return present;
}

TEST(StormGuard, TrustsNothingUntilItHasWatchedForOneLeaseTime) {
  StormGuard guard(30s);
  EXPECT_TRUE(guard.trusted_from().is_never());
  guard.look(at(100s), at(100s), there({"a"}));
  EXPECT_EQ(guard.trusted_from(), at(130s));
  EXPECT_FALSE(guard.is_storm());
  guard.look(at(120s), MonotonicTime::never(), there({"a"}));
  EXPECT_TRUE(guard.trusted_from().is_never());
  guard.look(at(121s), at(121s), there({"a"}));
  EXPECT_EQ(guard.trusted_from(), at(151s));
}

TEST(StormGuard, BelievesThatOneOfThreeIsGone) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), there({"a", "b", "c"}));
  guard.look(at(101s), at(10s), there({"a", "b"}));
  EXPECT_LE(guard.trusted_from(), at(101s));
  EXPECT_FALSE(guard.is_storm());
}

TEST(StormGuard, WaitsOneMoreLeaseTimeWhenMoreThanAThirdVanish) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), there({"a", "b", "c", "d", "e"}));
  guard.look(at(101s), at(10s), there({"a", "b", "c", "d"}));
  EXPECT_FALSE(guard.is_storm());
  guard.look(at(110s), at(10s), there({"a", "b", "c"}));
  EXPECT_TRUE(guard.is_storm());
  EXPECT_EQ(guard.trusted_from(), at(140s));
  guard.look(at(140s), at(10s), there({"a", "b", "c"}));
  EXPECT_FALSE(guard.is_storm());
  EXPECT_LE(guard.trusted_from(), at(140s));
}

TEST(StormGuard, MachinesThatComeBackEndTheStorm) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), there({"a", "b"}));
  guard.look(at(101s), at(10s), there({"a"}));
  EXPECT_TRUE(guard.is_storm());
  guard.look(at(105s), at(10s), there({"a", "b"}));
  EXPECT_FALSE(guard.is_storm());
}

TEST(StormGuard, OneThatComesBackDoesNotEndTheStormOfThoseGoneForLonger) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), there({"a", "b", "c"}));
  guard.look(at(101s), at(10s), there({"a", "b"}));
  guard.look(at(120s), at(10s), there({"a"}));
  EXPECT_EQ(guard.trusted_from(), at(150s));
  guard.look(at(132s), at(10s), there({"a", "b"}));
  EXPECT_TRUE(guard.is_storm());
  EXPECT_EQ(guard.trusted_from(), at(150s));
  guard.look(at(133s), at(10s), there({"a", "b", "c"}));
  EXPECT_FALSE(guard.is_storm());
}

TEST(StormGuard, OneThatIsBackBeforeTheLookHasVanishedWithTheOthers) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), there({"a", "b", "c", "d", "e", "f"}));
  StormGuard::Present now = there({"a", "b", "c", "d"});
  guard.look(at(101s), at(10s), now);
  EXPECT_FALSE(guard.is_storm());
  now["d"] = 2;
  guard.look(at(102s), at(10s), now);
  EXPECT_TRUE(guard.is_storm());
  EXPECT_EQ(guard.trusted_from(), at(132s));
}

TEST(StormGuard, OneThatIsBackAtOnceIsNoStorm) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), {{"a", 1}});
  guard.look(at(101s), at(10s), {{"a", 2}});
  EXPECT_FALSE(guard.is_storm());
}

TEST(StormGuard, MachinesThatVanishFarApartAreNoStorm) {
  StormGuard guard(30s);
  guard.look(at(100s), at(10s), there({"a", "b", "c", "d"}));
  guard.look(at(101s), at(10s), there({"a", "b", "c"}));
  guard.look(at(141s), at(10s), there({"a", "b"}));
  EXPECT_FALSE(guard.is_storm());
}

TEST(StormGuard, WithoutNewsTimeAloneEndsAStorm) {
  StormGuard guard{30s};
  guard.look(at(100s), at(10s), there({"a", "b", "c"}));
  guard.look(at(101s), at(10s), there({"a", "b"}));
  guard.look(at(102s), at(10s), there({"a"}));
  EXPECT_TRUE(guard.is_storm());
  guard.look(at(110s), at(10s));
  EXPECT_TRUE(guard.is_storm());
  guard.look(at(140s), at(10s));
  EXPECT_FALSE(guard.is_storm());
  EXPECT_LE(guard.trusted_from(), at(140s));
}

}  // namespace
}  // namespace flotilla::engine
