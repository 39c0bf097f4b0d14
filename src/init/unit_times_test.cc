#include "init/unit_times.h"

#include <gtest/gtest.h>

namespace flotilla::init {
namespace {

Timestamps at(int64_t microseconds) {
  return {{base::Micros(1'000'000 + microseconds)}, {base::Micros(microseconds)}};
}

TEST(UnitTimes, AreUnsetAndTwoWordsAtFirst) {
  EXPECT_EQ(sizeof(UnitTimes), 2 * sizeof(void*));
  const UnitTimes times;
  for (int i = 0; i < static_cast<int>(UnitMoment::kCount); ++i) {
    EXPECT_FALSE(times[static_cast<UnitMoment>(i)].is_set());
  }
}

TEST(UnitTimes, OnesThatCoincideChangeOneByOne) {
  UnitTimes times;
  for (const UnitMoment which :
       {UnitMoment::kStateChange, UnitMoment::kInactiveExit, UnitMoment::kActiveEnter}) {
    times.set(which, at(5));
  }
  times.set(UnitMoment::kStateChange, at(7));
  EXPECT_EQ(times[UnitMoment::kStateChange], at(7));
  EXPECT_EQ(times[UnitMoment::kInactiveExit], at(5));
  EXPECT_EQ(times[UnitMoment::kActiveEnter], at(5));
  times.set(UnitMoment::kActiveEnter, {});
  EXPECT_FALSE(times[UnitMoment::kActiveEnter].is_set());
  EXPECT_EQ(times[UnitMoment::kInactiveExit], at(5));
}

TEST(UnitTimes, AreKeptOverAnyNumberOfChanges) {
  UnitTimes times;
  std::array<Timestamps, static_cast<size_t>(UnitMoment::kCount)> wanted;
  for (uint32_t i = 0, random = 1; i < 2000; ++i) {
    random = random * 1664525 + 1013904223;
    const size_t which = (random >> 16) % wanted.size();
    wanted[which] = at((random >> 24) % 4);
    times.set(static_cast<UnitMoment>(which), wanted[which]);
    for (size_t k = 0; k < wanted.size(); ++k) {
      const Timestamps now = times[static_cast<UnitMoment>(k)];
      ASSERT_EQ(now, wanted[k].is_set() ? wanted[k] : Timestamps()) << i << " " << k;
    }
  }
}

}  // namespace
}  // namespace flotilla::init
