#include "unit/time_span.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(TimeSpan, ReadsWhatSystemdReads) {
  const struct {
    const char* text;
    std::int64_t usec;
  } cases[] = {{"0", 0},
               {"5", 5'000'000},
               {" 5 ", 5'000'000},
               {"+5s", 5'000'000},
               {"1 2", 3'000'000},
               {"1.5", 1'500'000},
               {".5", 500'000},
               {"1us", 1},
               {"7usec", 7},
               {"5\u00b5s", 5},
               {"5\u03bcs", 5},
               {"100ms", 100'000},
               {"100msec", 100'000},
               {"1s", 1'000'000},
               {"1sec", 1'000'000},
               {"2seconds", 2'000'000},
               {"2m", 120'000'000},
               {"2min", 120'000'000},
               {"2 minutes", 120'000'000},
               {"1h30", 3'630'000'000},
               {"2hr", 7'200'000'000},
               {"1d2h", 93'600'000'000},
               {"2 w", 1'209'600'000'000},
               {"3M", 7'889'400'000'000},
               {"1month", 2'629'800'000'000},
               {"1y 12month", 63'115'200'000'000},
               {"5 min 3", 303'000'000},
               {"1 .5", 1'500'000},
               {"12s.56", 12'560'000},
               {"1h 2min 3.5s", 3'723'500'000},
               {"0.1us", 0},
               {"1.0000001s", 1'000'000},
               {"5min\t20s\n", 320'000'000},
               {"292000y", 9'214'819'200'000'000'000}};
  for (const auto& c : cases) {
    const auto span = parse_time_span(c.text);
    ASSERT_TRUE(span.has_value()) << c.text << ": " << span.error().message;
    EXPECT_EQ(span->count(), c.usec) << c.text;
  }
  EXPECT_EQ(parse_time_span("infinity").value(), kInfinite);
  EXPECT_EQ(parse_time_span(" infinity ").value(), kInfinite);
}

TEST(TimeSpan, RefusesWhatIsNoSpan) {
  for (const char* text : {"",
                           " ",
                           "soon",
                           "-1",
                           "1 -1",
                           "5mon",
                           "1.2.3",
                           "1.",
                           "1.s",
                           "1. 5",
                           "1sm",
                           "5x",
                           "infinityx",
                           "1infinity",
                           "s",
                           "1s s",
                           "9999999999999999999",
                           "999999999y",
                           "- 1",
                           "+",
                           "1e3",
                           "0x10"}) {
    EXPECT_FALSE(parse_time_span(text).has_value()) << text;
  }
}

TEST(TimeSpan, SaysWhatWasExpectedAndWhatWasFound) {
  EXPECT_EQ(parse_time_span("soon").error().message,
            "expected a time span such as \"1min 30s\", got \"soon\": expected a number");
  EXPECT_EQ(parse_time_span("5parsecs").error().message,
            "expected a time span such as \"1min 30s\", got \"5parsecs\": unknown unit");
}

TEST(TimeSpan, CountsBareNumbersInTheDefaultUnit) {
  EXPECT_EQ(parse_time_span("90", minutes(1)).value(), minutes(90));
  EXPECT_EQ(parse_time_span("90", microseconds(1)).value(), microseconds(90));
  EXPECT_EQ(parse_time_span("1.5", milliseconds(1)).value(), microseconds(1500));
}

TEST(TimeSpan, ATimeoutOfZeroIsInfinite) {
  EXPECT_EQ(parse_timeout("0").value(), kInfinite);
  EXPECT_EQ(parse_timeout("0s").value(), kInfinite);
  EXPECT_EQ(parse_timeout("1").value(), seconds(1));
}

TEST(TimeSpan, PrintsAsSystemdPrints) {
  const struct {
    std::int64_t usec;
    const char* text;
  } cases[] = {{0, "0"},
               {1, "1us"},
               {999, "999us"},
               {1000, "1ms"},
               {1500, "1.500ms"},
               {100'000, "100ms"},
               {500'000, "500ms"},
               {1'000'000, "1s"},
               {1'500'000, "1.500000s"},
               {90'000'000, "1min 30s"},
               {3'723'500'000, "1h 2min 3.500000s"},
               {3'630'000'000, "1h 30s"},
               {60'000'001, "1min 1us"},
               {172'800'000'000, "2d"},
               {1'209'600'000'000, "2w"},
               {7'889'400'000'000, "3month"},
               {63'115'200'000'000, "2y"}};
  for (const auto& c : cases) EXPECT_EQ(format_time_span(microseconds(c.usec)), c.text);
  EXPECT_EQ(format_time_span(kInfinite), "infinity");
  EXPECT_EQ(format_time_span(microseconds(-1)), "0");
}

TEST(TimeSpan, LeavesOutWhatIsBelowTheAccuracy) {
  EXPECT_EQ(format_time_span(microseconds(1'234'567), milliseconds(1)), "1.234s");
  EXPECT_EQ(format_time_span(microseconds(61'234'567), seconds(1)), "1min 1s");
  EXPECT_EQ(format_time_span(microseconds(1'234'567), seconds(1)), "1s");
  EXPECT_EQ(format_time_span(microseconds(500), seconds(1)), "500us");
}

TEST(TimeSpan, WhatIsPrintedReadsBackTheSame) {
  std::int64_t usec = 1;
  for (int i = 0; i < 4000; ++i) {
    usec = (usec * 31 + i * 7919L) % 40'000'000'000'000'000;
    const TimeSpan span{usec};
    EXPECT_EQ(parse_time_span(format_time_span(span)).value(), span) << usec;
  }
}

TEST(TimeSpan, TheBusCarriesInfinityAsTheLargestNumber) {
  EXPECT_EQ(to_usec(kInfinite), UINT64_MAX);
  EXPECT_EQ(to_usec(seconds(1)), 1'000'000U);
  EXPECT_EQ(to_usec(microseconds(-5)), 0U);
  EXPECT_EQ(from_usec(UINT64_MAX), kInfinite);
  EXPECT_EQ(from_usec(5), microseconds(5));
}

}  // namespace
}  // namespace flotilla::unit
