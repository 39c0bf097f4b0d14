#include "init/edge_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using By = EdgeList::Edge::By;

TEST(EdgeList, KeepsTheOrderInWhichEdgesCame) {
  EdgeList list;
  EXPECT_THAT(list, IsEmpty());
  std::vector<uint32_t> expected;
  for (uint32_t id = 100; id > 0; --id) {
    list.push_back({id, By::kUs});
    expected.push_back(id);
    ASSERT_THAT(list, ElementsAreArray(expected));
    ASSERT_EQ(list[expected.size() - 1], id);
  }
}

TEST(EdgeList, ErasesOneAndKeepsTheOthers) {
  EdgeList list;
  for (const uint32_t id : {1U, 2U, 3U}) list.push_back({id, By::kThem});
  list.erase(list.find(2));
  EXPECT_THAT(list, ElementsAre(1, 3));
  EXPECT_EQ(list.find(2), nullptr);
  for (const uint32_t id : {1U, 3U}) list.erase(list.find(id));
  EXPECT_TRUE(list.empty());
  list.push_back({9, By::kUs});
  EXPECT_THAT(list, ElementsAre(9));
}

TEST(EdgeList, KnowsWhoDeclaresAnEdge) {
  EdgeList list;
  list.push_back({EdgeList::Edge::kMostUnits - 1, By::kThem});
  EdgeList::Edge& edge = *list.find(EdgeList::Edge::kMostUnits - 1);
  EXPECT_TRUE(edge.is_declared(By::kThem));
  EXPECT_FALSE(edge.is_declared(By::kUs));
  edge.declare(By::kUs);
  EXPECT_TRUE(edge.is_declared(By::kUs));
  EXPECT_FALSE(edge.withdraw(By::kThem)) << "our own files still say so";
  EXPECT_FALSE(edge.is_declared(By::kThem));
  EXPECT_EQ(edge.to(), EdgeList::Edge::kMostUnits - 1);
  EXPECT_TRUE(edge.withdraw(By::kUs));
}

TEST(EdgeList, MovesWhetherItIsLongOrShort) {
  for (const uint32_t length : {1U, 2U, 3U, 50U}) {
    EdgeList list;
    for (uint32_t id = 0; id < length; ++id) list.push_back({id, By::kUs});
    EdgeList moved(std::move(list));
    EXPECT_EQ(moved.size(), length);
    EdgeList other;
    other.push_back({77, By::kUs});
    other = std::move(moved);
    EXPECT_EQ(other.size(), length);
    EXPECT_EQ(other[0], 0U);
  }
}

}  // namespace
}  // namespace flotilla::init
