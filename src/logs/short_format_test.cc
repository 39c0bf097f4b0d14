#include "logs/short_format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace flotilla::logs {
namespace {

Entry entry_of(std::string message) {
  Entry entry;
  entry.time = {base::Micros(1'700'000'000'123'456)};
  entry.identifier = "hello";
  entry.pid = 42;
  entry.message = std::move(message);
  return entry;
}

class ShortFormat : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(ShortFormat, IsTheJournals) {
  EXPECT_EQ(format_short(entry_of("hello, world"), "host"),
            "Nov 14 22:13:20 host hello[42]: hello, world\n");
}

TEST_F(ShortFormat, LeavesOutWhatIsNotKnown) {
  Entry entry = entry_of("x");
  entry.pid = 0;
  entry.identifier.clear();
  EXPECT_EQ(format_short(entry, "host"), "Nov 14 22:13:20 host unknown: x\n");
}

TEST_F(ShortFormat, KeepsTerminalsSafe) {
  EXPECT_EQ(format_short(entry_of("a\x1b[31m\tgrün"), "h"),
            "Nov 14 22:13:20 h hello[42]: a\\x1b[31m\tgrün\n");
}

}  // namespace
}  // namespace flotilla::logs
