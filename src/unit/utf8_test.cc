#include "unit/utf8.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(Utf8, EveryCodePointSurvivesTheRoundTrip) {
  for (char32_t code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 251) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    std::string text;
    utf8_append(text, code);
    ASSERT_EQ(utf8_sequence_length(text), text.size()) << static_cast<unsigned>(code);
    ASSERT_EQ(utf8_decode(text), code);
  }
}

TEST(Utf8, RefusesWhatIsNotWellFormed) {
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xc3(b"}) {
    EXPECT_FALSE(is_valid_utf8(text));
  }
  EXPECT_TRUE(is_valid_utf8("a\u00e9\u65e5\U0001f600"));
  EXPECT_TRUE(is_valid_utf8(""));
}

}  // namespace
}  // namespace flotilla::unit
