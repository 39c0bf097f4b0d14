#include "unit/exit_status.h"

#include <gtest/gtest.h>

#include <csignal>

namespace flotilla::unit {
namespace {

TEST(ExitStatus, HasNamesAndNumbers) {
  EXPECT_EQ(find_exit_status("EXEC"), 203);
  EXPECT_EQ(find_exit_status("203"), 203);
  EXPECT_EQ(find_exit_status("TEMPFAIL"), 75);
  EXPECT_EQ(find_exit_status("SUCCESS"), 0);
  EXPECT_EQ(find_exit_status("256"), std::nullopt);
  EXPECT_EQ(find_exit_status("-1"), std::nullopt);
  EXPECT_EQ(find_exit_status("exec"), std::nullopt);
  EXPECT_EQ(find_exit_status(""), std::nullopt);
  EXPECT_EQ(exit_status_name(217), "USER");
  EXPECT_EQ(exit_status_name(42), "");
}

TEST(ExitStatus, SetsTakeStatusesAndSignals) {
  std::vector<Diagnostic> reports;
  const Reporter reporter("a.service", 4, reports);
  ExitStatusSet set;
  read_exit_status_set("1 TEMPFAIL SIGKILL 15", reporter, set);
  EXPECT_TRUE(set.statuses[1] && set.statuses[75] && set.statuses[15]);
  EXPECT_EQ(set.statuses.count(), 3U);
  EXPECT_TRUE(set.signals[SIGKILL]);
  EXPECT_EQ(set.signals.count(), 1U);
  read_exit_status_set("nonsense 300 2", reporter, set);
  EXPECT_TRUE(set.statuses[2]);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(to_string(reports[0]),
            "a.service:4: expected an exit status or a signal, got \"nonsense\", it is ignored");
  read_exit_status_set("", reporter, set);
  EXPECT_TRUE(set.empty());
}

}  // namespace
}  // namespace flotilla::unit
