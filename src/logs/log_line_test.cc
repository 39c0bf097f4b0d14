#include "logs/log_line.h"

#include <gtest/gtest.h>

#include <string>

namespace flotilla::logs {
namespace {

std::string head_of(std::int64_t nsec, StreamKind stream, bool partial) {
  std::string head(kLineHeadSize, '?');
  format_line_head(nsec, stream, partial, head.data());
  return head;
}

TEST(LogLine, HasTheFormOfCri) {
  EXPECT_EQ(head_of(1'795'231'991'123'456'789, StreamKind::kStdout, false),
            "2026-11-21T03:33:11.123456789Z stdout F ");
  EXPECT_EQ(head_of(0, StreamKind::kStderr, true), "1970-01-01T00:00:00.000000000Z stderr P ");
  EXPECT_EQ(head_of(-5, StreamKind::kStderr, true), "1970-01-01T00:00:00.000000000Z stderr P ");
}

TEST(LogLine, EveryDayOfTheCalendarComesBack) {
  for (std::int64_t day = 0; day < 105'850; ++day) {
    const std::int64_t nsec = (day * 86'400 + 86'399) * 1'000'000'000 + 7;
    const std::string head = head_of(nsec, StreamKind::kStdout, false);
    ParsedLine line;
    ASSERT_TRUE(parse_line(head, line)) << head;
    ASSERT_EQ(line.wall_nsec, nsec) << head;
  }
  EXPECT_EQ(head_of(951'782'400'000'000'000, StreamKind::kStdout, false).substr(0, 10),
            "2000-02-29");
}

TEST(LogLine, IsReadBackWithItsMessageUntouched) {
  const std::string message("a b\0c \xff", 7);
  const std::string text = head_of(42, StreamKind::kStderr, true) + message;
  ParsedLine line;
  ASSERT_TRUE(parse_line(text, line));
  EXPECT_EQ(line.wall_nsec, 42);
  EXPECT_EQ(line.stream, StreamKind::kStderr);
  EXPECT_TRUE(line.partial);
  EXPECT_EQ(line.message, message);
}

TEST(LogLine, RefusesAHeadThatIsWrongInAnyByte) {
  const std::string good = head_of(42, StreamKind::kStdout, false) + "x";
  ParsedLine line;
  for (std::size_t i = 0; i < kLineHeadSize; ++i) {
    std::string bad = good;
    bad[i] = '#';
    EXPECT_FALSE(parse_line(bad, line)) << bad;
  }
  EXPECT_FALSE(parse_line(good.substr(0, kLineHeadSize - 1), line));
  EXPECT_FALSE(parse_line("", line));
  EXPECT_FALSE(parse_line(good + std::string(kMaxMessage, 'x'), line));
}

TEST(LevelPrefix, IsTakenOffOnlyWhereItIsExact) {
  std::string_view message = "<3>bad";
  EXPECT_EQ(take_level_prefix(message, 6), 3);
  EXPECT_EQ(message, "bad");
  for (const std::string_view text : {"<8>x", "<>x", "<33>x", "3>x", "<3", "<", "", "x<3>"}) {
    message = text;
    EXPECT_EQ(take_level_prefix(message, 6), 6);
    EXPECT_EQ(message, text);
  }
  message = "<0>";
  EXPECT_EQ(take_level_prefix(message, 6), 0);
  EXPECT_EQ(message, "");
}

}  // namespace
}  // namespace flotilla::logs
