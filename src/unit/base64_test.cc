#include "unit/base64.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(Base64, GivesTheBytesOfWholeAndPaddedGroups) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("aGVsbG8h"), "hello!");
  EXPECT_EQ(decode_base64("aGVsbG8="), "hello");
  EXPECT_EQ(decode_base64("aGVsbA=="), "hell");
  EXPECT_EQ(decode_base64("aGVs\n  bA=="), "hell");
  EXPECT_EQ(decode_base64("AAEC/w=="), std::string("\0\1\2\xff", 4));
}

TEST(Base64, WritesWhatItReads) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("hello!"), "aGVsbG8h");
  EXPECT_EQ(encode_base64("hello"), "aGVsbG8=");
  EXPECT_EQ(encode_base64("hell"), "aGVsbA==");
  EXPECT_EQ(encode_base64(std::string("\0\1\2\xff", 4)), "AAEC/w==");
}

TEST(Base64, RefusesWhatNoBytesGive) {
  for (const char* text : {"a", "aGVsbA", "aGVsbA=", "aGVsbG8h=", "aG=sbA==", "aGV*", "aGVsbB=="}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace flotilla::unit
