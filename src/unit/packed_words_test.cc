#include "unit/packed_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace flotilla::unit {
namespace {

using testing::ElementsAre;

TEST(PackedWords, KeepsItsWordsInOrderEmptyOnesToo) {
  PackedWords words;
  EXPECT_TRUE(words.empty());
  EXPECT_EQ(words.size(), 0U);
  words.push_back("/bin/true");
  words.push_back("");
  words.push_back("a word that is too long to be kept in a string itself");
  words.shrink_to_fit();
  EXPECT_FALSE(words.empty());
  EXPECT_EQ(words.size(), 3U);
  EXPECT_THAT(
      words, ElementsAre("/bin/true", "", "a word that is too long to be kept in a string itself"));
  EXPECT_EQ(words.front(), "/bin/true");
  EXPECT_EQ(words[1], "");
}

TEST(PackedWords, OneEmptyWordIsNotNone) {
  EXPECT_EQ(PackedWords({""}).size(), 1U);
  EXPECT_FALSE(PackedWords({""}) == PackedWords());
}

TEST(PackedWords, CopiesAreTheirOwn) {
  PackedWords words{"a", "b"};
  const PackedWords copy = words;
  words.push_back("c");
  EXPECT_THAT(copy, ElementsAre("a", "b"));
  EXPECT_EQ(std::vector<std::string>(words.begin(), words.end()).back(), "c");
}

}  // namespace
}  // namespace flotilla::unit
