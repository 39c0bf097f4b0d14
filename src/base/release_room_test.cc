#include "base/release_room.h"

#include <gtest/gtest.h>

namespace flotilla::base {
namespace {

TEST(ReleaseRoom, LeavesAVectorThatTakesNothing) {
  std::vector<int> numbers(1000, 7);
  release_room(numbers);
  EXPECT_TRUE(numbers.empty());
  EXPECT_EQ(numbers.capacity(), 0U);
}

}  // namespace
}  // namespace flotilla::base
