#include "unit/escape.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(Escape, TurnsTextIntoNamesAndBack) {
  const struct {
    const char* text;
    const char* escaped;
  } cases[] = {{"", ""},
               {"abc", "abc"},
               {"a/b", "a-b"},
               {"/dev//sda/", "-dev--sda-"},
               {"a-b", "a\\x2db"},
               {".hidden.x", "\\x2ehidden.x"},
               {"a\\b", "a\\x5cb"},
               {"H\xc3\xa4llo w@rld", "H\\xc3\\xa4llo\\x20w\\x40rld"},
               {"a:b_c.d", "a:b_c.d"},
               {"1%2", "1\\x252"}};
  for (const auto& c : cases) {
    EXPECT_EQ(escape_name(c.text), c.escaped);
    EXPECT_EQ(unescape_name(c.escaped).value(), c.text);
  }
}

TEST(Escape, RefusesABrokenEscape) {
  for (const char* text : {"\\", "\\x", "\\x2", "\\xzz", "a\\y20", "\\x00"}) {
    EXPECT_FALSE(unescape_name(text).has_value()) << text;
  }
}

TEST(Escape, TurnsPathsIntoNamesAndBack) {
  const struct {
    const char* path;
    const char* escaped;
    const char* back;
  } cases[] = {{"/", "-", "/"},
               {"///", "-", "/"},
               {"/.", "-", "/"},
               {"/a", "a", "/a"},
               {"a/b", "a-b", "/a/b"},
               {"/a//b/./c/", "a-b-c", "/a/b/c"},
               {"/.a/b-c", "\\x2ea-b\\x2dc", "/.a/b-c"}};
  for (const auto& c : cases) {
    EXPECT_EQ(escape_path(c.path).value(), c.escaped);
    EXPECT_EQ(unescape_path(c.escaped).value(), c.back);
  }
  for (const char* path : {"", "..", "/a/..", "/../a"}) EXPECT_FALSE(escape_path(path).has_value());
  for (const char* text : {"", "-a", "a-", "a--b", "\\x2e\\x2e", "\\x2e"}) {
    EXPECT_FALSE(unescape_path(text).has_value()) << text;
  }
}

TEST(Escape, EveryByteSurvivesTheRoundTrip) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(unescape_name(escape_name(all)).value(), all);
}

TEST(Escape, PrintableShowsEveryByte) {
  EXPECT_EQ(printable("a\xc3\xa4\n\xff\x7f"), "a\xc3\xa4\\x0a\\xff\\x7f");
}

}  // namespace
}  // namespace flotilla::unit
