// Jobs as the stock systemctl shows and handles them.

#include <gmock/gmock.h>

#include "init/bus_test_world.h"

namespace flotilla::init {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class StockSystemctlJobs : public testing::Test {
 protected:
  void SetUp() override {
    if (::access("/usr/bin/systemctl", X_OK) != 0) {
      GTEST_SKIP() << "systemctl is not installed (package systemd)";
    }
    // Never says that it is ready, so that what comes after it waits.
    world_.add_unit("slow.service",
                    "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\n"
                    "ExecStart=/bin/slow\nTimeoutStartSec=infinity\n");
    world_.add_unit("a.service",
                    "[Unit]\nDefaultDependencies=no\nWants=slow.service\nAfter=slow.service\n"
                    "JobTimeoutAction=poweroff-force\n[Service]\nExecStart=/bin/a\n");
    world_.serve();
  }
  std::string output_of(std::vector<std::string> arguments) {
    const CommandOutcome outcome = world_.systemctl(std::move(arguments));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.output;
  }

  BusTestWorld world_;
};

TEST_F(StockSystemctlJobs, ShowsTheTransactionOfAStart) {
  const std::string output = output_of({"start", "--no-block", "-T", "a.service"});
  EXPECT_THAT(output, ContainsRegex("^Enqueued anchor job [0-9]+ a.service/start.\n"));
  EXPECT_THAT(output, ContainsRegex("Enqueued auxiliary job [0-9]+ slow.service/start."));
}

TEST_F(StockSystemctlJobs, ListsWhatJobsWaitFor) {
  output_of({"start", "--no-block", "a.service"});
  EXPECT_THAT(output_of({"list-jobs", "--no-legend"}), ContainsRegex("a.service +start waiting"));
  const std::string after = output_of({"list-jobs", "--after"});
  EXPECT_THAT(after, ContainsRegex("blocking job [0-9]+ \\(a.service/start\\)"));
  const std::string before = output_of({"list-jobs", "--before"});
  EXPECT_THAT(before, ContainsRegex("waiting for job [0-9]+ \\(slow.service/start\\)"));
  output_of({"cancel"});
  EXPECT_EQ(output_of({"list-jobs"}), "No jobs running.\n");
}

TEST_F(StockSystemctlJobs, ShowsActionsAndModes) {
  const std::string output = output_of({"show", "a.service"});
  for (const char* line : {"\nJobTimeoutAction=poweroff-force\n", "\nFailureAction=none\n",
                           "\nOnFailureJobMode=replace\n", "\nOnSuccessJobMode=fail\n",
                           "\nPerpetual=no\n", "\nStartLimitAction=none\n"}) {
    EXPECT_THAT(output, HasSubstr(line));
  }
}

}  // namespace
}  // namespace flotilla::init
