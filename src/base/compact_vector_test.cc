#include "base/compact_vector.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace flotilla::base {
namespace {

using Texts = CompactVector<std::string>;

Texts texts(const std::vector<std::string>& all) { return {all.begin(), all.end()}; }
std::vector<std::string> as_vector(const Texts& all) { return {all.begin(), all.end()}; }

TEST(CompactVector, IsOnePointerWide) { EXPECT_EQ(sizeof(Texts), sizeof(void*)); }

TEST(CompactVector, HoldsNothingAtFirst) {
  const Texts none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.begin(), none.end());
  EXPECT_TRUE(Texts(none).empty());
}

TEST(CompactVector, KeepsTheOrderWhileItGrows) {
  std::vector<std::string> wanted;
  Texts list;
  for (int i = 0; i < 100; ++i) {
    wanted.push_back("a text that is no short one " + std::to_string(i));
    EXPECT_EQ(list.push_back(wanted.back()), wanted.back());
  }
  EXPECT_EQ(as_vector(list), wanted);
  EXPECT_EQ(list[42], wanted[42]);
  EXPECT_EQ(list.back(), wanted.back());
  list.shrink_to_fit();
  EXPECT_EQ(as_vector(list), wanted);
}

TEST(CompactVector, InsertsAndErasesAtAnyPlace) {
  Texts list = texts({"a", "c"});
  EXPECT_EQ(list.insert(list.begin() + 1, "b"), "b");
  list.insert(list.begin(), "_");
  list.insert(list.end(), "d");
  EXPECT_EQ(as_vector(list), (std::vector<std::string>{"_", "a", "b", "c", "d"}));
  list.erase(list.begin());
  list.erase(list.begin() + 1);
  list.erase(list.end() - 1);
  EXPECT_EQ(as_vector(list), (std::vector<std::string>{"a", "c"}));
  list.erase(list.begin());
  list.erase(list.begin());
  EXPECT_TRUE(list.empty());
  list.shrink_to_fit();
  list.push_back("again");
  EXPECT_EQ(as_vector(list), (std::vector<std::string>{"again"}));
}

TEST(CompactVector, CopiesAndMovesAsAValueDoes) {
  Texts first = texts({"a", "b"});
  Texts copy = first;
  copy[0] = "changed";
  EXPECT_EQ(first[0], "a");
  first = copy;
  EXPECT_EQ(as_vector(first), (std::vector<std::string>{"changed", "b"}));
  const Texts moved(std::move(copy));
  EXPECT_EQ(moved.size(), 2U);
  Texts other = texts({"c"});
  other = std::move(first);
  EXPECT_EQ(as_vector(other), (std::vector<std::string>{"changed", "b"}));
  other.clear();
  EXPECT_TRUE(other.empty());
}

TEST(CompactVector, TakesWhatCanOnlyBeMoved) {
  CompactVector<std::unique_ptr<int>> list;
  for (int i = 0; i < 5; ++i) list.push_back(std::make_unique<int>(i));
  list.erase(list.begin() + 2);
  EXPECT_EQ(*list[2], 3);
}

TEST(CompactVector, AppendsAListAtOnce) {
  const std::vector<std::string> none;
  Texts all = texts({"a"});
  all.append(none.begin(), none.end());
  const std::vector<std::string> more{"b", "c", "d"};
  all.append(more.begin(), more.end());
  EXPECT_EQ(as_vector(all), (std::vector<std::string>{"a", "b", "c", "d"}));
}

}  // namespace
}  // namespace flotilla::base
