#include "init/id_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

TEST(IdList, KeepsTheOrderInWhichIdsCame) {
  IdList list;
  EXPECT_THAT(list, IsEmpty());
  std::vector<uint32_t> expected;
  for (uint32_t id = 100; id > 0; --id) {
    list.push_back(id);
    expected.push_back(id);
    ASSERT_THAT(list, ElementsAreArray(expected));
  }
}

TEST(IdList, ErasesOneAndKeepsTheOthers) {
  IdList list;
  for (const uint32_t id : {1U, 2U, 3U, 2U}) list.push_back(id);
  list.erase(2);
  EXPECT_THAT(list, ElementsAre(1, 3, 2));
  list.erase(7);
  EXPECT_THAT(list, ElementsAre(1, 3, 2));
  for (const uint32_t id : {1U, 2U, 3U}) list.erase(id);
  EXPECT_TRUE(list.empty());
  list.push_back(9);
  EXPECT_THAT(list, ElementsAre(9));
}

TEST(IdList, MovesWhetherItIsLongOrShort) {
  for (const uint32_t length : {1U, 2U, 3U, 50U}) {
    IdList list;
    for (uint32_t id = 0; id < length; ++id) list.push_back(id);
    IdList moved(std::move(list));
    EXPECT_EQ(moved.size(), length);
    IdList other;
    other.push_back(77);
    other = std::move(moved);
    EXPECT_EQ(other.size(), length);
    EXPECT_EQ(*other.begin(), 0U);
  }
}

}  // namespace
}  // namespace flotilla::init
