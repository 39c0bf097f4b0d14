#include "unit/size.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(Size, ReadsSuffixesToTheBase1024) {
  const struct {
    const char* text;
    std::uint64_t bytes;
  } cases[] = {{"0", 0},
               {"512", 512},
               {"12B", 12},
               {"1K", 1024},
               {"1.5K", 1536},
               {"10.M", 10485760},
               {" 4 G ", 4294967296},
               {"1T", 1099511627776},
               {"1P", 1125899906842624},
               {"15E", 17293822569102704640U},
               {"1G 500M", 1598029824},
               {"1G500M", 1598029824},
               {"1K1", 1025},
               {"0.5", 0}};
  for (const auto& c : cases) EXPECT_EQ(parse_size(c.text).value(), c.bytes) << c.text;
}

TEST(Size, ReadsSuffixesToTheBase1000) {
  EXPECT_EQ(parse_size("1K", SizeBase::k1000).value(), 1000U);
  EXPECT_EQ(parse_size("2.5M", SizeBase::k1000).value(), 2'500'000U);
}

TEST(Size, RefusesWhatIsNoSize) {
  for (const char* text : {"", "K", "1k", "-1", "1M 1G", "1M1M", "1 2", "1X", "16E", "1K K", ".5K",
                           "18446744073709551616", "infinity"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << text;
  }
}

TEST(Size, ALimitMayBeInfinite) {
  EXPECT_EQ(parse_size_limit("infinity").value(), kNoLimit);
  EXPECT_EQ(parse_size_limit("1K").value(), 1024U);
}

TEST(Size, ReadsSharesInPartsOfTenThousand) {
  EXPECT_EQ(parse_permyriad("50%").value(), 5000U);
  EXPECT_EQ(parse_permyriad("12.34%").value(), 1234U);
  EXPECT_EQ(parse_permyriad("0.5%").value(), 50U);
  EXPECT_EQ(parse_permyriad("5\u2030").value(), 50U);
  EXPECT_EQ(parse_permyriad("5.5\u2030").value(), 55U);
  EXPECT_EQ(parse_permyriad("7\u2031").value(), 7U);
  EXPECT_EQ(parse_permyriad("100%").value(), 10000U);
  EXPECT_EQ(parse_permyriad("400%", UINT32_MAX).value(), 40000U);
  for (const char* text : {"", "%", "50", "101%", "-1%", "1.%", "1.234%", "5.55\u2030", "1.5\u2031",
                           "x%", "1 %", "99999999999%"}) {
    EXPECT_FALSE(parse_permyriad(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace flotilla::unit
