#include "api/page_token.h"

#include <gtest/gtest.h>

namespace flotilla::api {
namespace {

TEST(PageToken, IsFleets) {
  EXPECT_EQ(encode({100, 2}), "ZAACAA==");
  EXPECT_EQ(encode({3, 2}), "AwACAA==");
}

TEST(PageToken, ComesBackAsItWas) {
  for (const uint16_t page : std::initializer_list<uint16_t>{1, 2, 255, 256, 65535}) {
    const std::string text = encode({100, page});
    const auto token = page_token_of({text}, 100);
    ASSERT_TRUE(token) << text;
    EXPECT_EQ(token->page, page);
  }
  EXPECT_EQ(page_token_of({}, 100)->page, 1);
}

TEST(PageToken, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "EOF"},
      {"AwACAA==", "token limit must be 100"},
      {"ZAAAAA==", "token page must be greater than zero"},
      {"ZAA=", "unexpected EOF"},
      {"!", "illegal base64 data at input byte 0"},
      {"ZA*A", "illegal base64 data at input byte 2"},
  };
  for (const auto& [text, why] : cases) {
    const auto token = page_token_of({text}, 100);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().message, why);
  }
  EXPECT_EQ(page_token_of({"a", "b"}, 100).error().message, "too many values for page token");
}

TEST(PageToken, IgnoresExtraBytes) { EXPECT_EQ(page_token_of({"ZAACAAAA"}, 100)->page, 2); }

}  // namespace
}  // namespace flotilla::api
