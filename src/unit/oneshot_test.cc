#include "unit/oneshot.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(Oneshot, IsWhatEndsAndIsNotActiveAfterwards) {
  const struct {
    const char* text;
    bool is_oneshot;
  } rows[] = {
      {"[Service]\nType=oneshot\nExecStart=/x", true},
      {"[Service]\nExecStart=/x", false},
      {"[Service]\nType=simple\nType=oneshot", true},
      {"[Service]\nType=oneshot\nType=exec", false},
      {"[Service]\nType=oneshot\nRemainAfterExit=Yes", false},
      {"[Service]\nType=oneshot\nRemainAfterExit=yes\nRemainAfterExit=no", true},
      {"[Unit]\nType=oneshot", false},
      {"", false},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(is_oneshot(*parse_fleet_file(row.text)), row.is_oneshot) << row.text;
  }
}

}  // namespace
}  // namespace flotilla::unit
