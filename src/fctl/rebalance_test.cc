#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

class RebalanceVerb : public FleetctlTest {
 protected:
  void SetUp() override {
    add_unit("a.service", kHello, "launched");
    add_unit("b.service", kHello, "launched");
    api.machine_list.push_back({"222222222222", "192.0.2.20", {}});
    const std::string from = api.machine_list[0].id;
    api.moves = {{"a.service", from, "222222222222", "it is better there"},
                 {"b.service", from, "222222222222"}};
  }
};

TEST_F(RebalanceVerb, SaysWhatItWouldMove) {
  EXPECT_EQ(run_words({"rebalance", "--dry-run"}), 0);
  EXPECT_EQ(output.out_text,
            "Would move unit a.service from 113f16a7.../192.0.2.10 to 22222222.../192.0.2.20: "
            "it is better there\n"
            "Would move unit b.service from 113f16a7.../192.0.2.10 to 22222222.../192.0.2.20\n");
  EXPECT_TRUE(api.calls.empty());
}

TEST_F(RebalanceVerb, WaitsUntilTheUnitsAreThereAndSaysWhatHasMoved) {
  int pauses = 0;
  pacer.on_pause = [&] {
    if (++pauses == 1) api.unit_map["a.service"].machine_id = "222222222222";
    if (pauses == 3) api.moves_under_way = false;
  };
  EXPECT_EQ(run_words({"rebalance"}), 0);
  EXPECT_EQ(pauses, 3);
  EXPECT_EQ(output.out_text,
            "Unit a.service moved from 113f16a7.../192.0.2.10 to 22222222.../192.0.2.20\n"
            "Unit b.service was not moved\n");
  EXPECT_EQ(api.calls, std::vector<std::string>{"rebalance"});
}

TEST_F(RebalanceVerb, WaitsNoLongerThanItMay) {
  EXPECT_EQ(run_words({"rebalance", "--block-attempts=1"}), 1);
  EXPECT_EQ(output.err_text, "Error rebalancing: units are still on their way\n");
  EXPECT_EQ(run_words({"rebalance", "--no-block"}), 0);
  EXPECT_EQ(output.out_text,
            "Triggered move of unit a.service from 113f16a7.../192.0.2.10 to "
            "22222222.../192.0.2.20\n"
            "Triggered move of unit b.service from 113f16a7.../192.0.2.10 to "
            "22222222.../192.0.2.20\n");
}

TEST_F(RebalanceVerb, HasNothingToDoInABalancedCluster) {
  api.moves.clear();
  EXPECT_EQ(run_words({"rebalance"}), 0);
  EXPECT_EQ(output.out_text, "Nothing to move\n");
  EXPECT_TRUE(api.calls.empty());
  api.failure = {base::Errc::kUnsupported, "x"};
  EXPECT_EQ(run_words({"rebalance"}), 1);
  EXPECT_EQ(output.err_text, "Error rebalancing: the fleetd at this endpoint is older\n");
}

}  // namespace
}  // namespace flotilla::fctl
