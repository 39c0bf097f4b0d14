#include "unit/scalar.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(Scalar, ReadsBooleans) {
  for (const char* text : {"1", "yes", "y", "true", "t", "on", "YES", "On"}) {
    EXPECT_TRUE(parse_boolean(text).value()) << text;
  }
  for (const char* text : {"0", "no", "n", "false", "f", "off", "OFF"}) {
    EXPECT_FALSE(parse_boolean(text).value()) << text;
  }
  for (const char* text : {"", "perhaps", "2", " yes", "ye"}) {
    EXPECT_FALSE(parse_boolean(text).has_value()) << text;
  }
  EXPECT_EQ(parse_boolean("perhaps").error().message, "expected yes or no, got \"perhaps\"");
}

TEST(Scalar, ReadsNumbersInTheirBases) {
  EXPECT_EQ(parse_integer("-5", -20, 19).value(), -5);
  EXPECT_EQ(parse_integer("+5", -20, 19).value(), 5);
  EXPECT_EQ(parse_integer("0x1F", 0, 100).value(), 31);
  EXPECT_EQ(parse_integer("0b101", 0, 100).value(), 5);
  EXPECT_EQ(parse_integer("0o17", 0, 100).value(), 15);
  EXPECT_EQ(parse_integer("017", 0, 100).value(), 15);
  EXPECT_EQ(parse_integer("0", 0, 100).value(), 0);
  EXPECT_EQ(parse_integer("-9223372036854775808", INT64_MIN, INT64_MAX).value(), INT64_MIN);
  EXPECT_EQ(parse_unsigned("18446744073709551615").value(), UINT64_MAX);
}

TEST(Scalar, RefusesWhatIsNoNumberOrOutOfRange) {
  for (const char* text : {"", "-", "+", "x", "1x", "0x", "08", "- 1", "--1", "1 2",
                           "9223372036854775808", "99999999999999999999"}) {
    EXPECT_FALSE(parse_integer(text, INT64_MIN, INT64_MAX).has_value()) << text;
  }
  EXPECT_EQ(parse_integer("100", -20, 19).error().message,
            "expected a number from -20 to 19, got \"100\"");
  EXPECT_FALSE(parse_unsigned("-1").has_value());
  EXPECT_FALSE(parse_unsigned("256", 255).has_value());
}

TEST(Scalar, ReadsOctalModes) {
  EXPECT_EQ(parse_mode("0022").value(), 022U);
  EXPECT_EQ(parse_mode("7777").value(), 07777U);
  for (const char* text : {"", "99", "10000", "-1", "+1", "0x1", "644 "}) {
    EXPECT_FALSE(parse_mode(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace flotilla::unit
