#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

using CordonTest = FleetctlTest;

constexpr const char* kId = "113f16a7aaaabbbbccccddddeeeeffff";

TEST_F(CordonTest, SetsAndClearsWhatTheSchedulersLookAt) {
  EXPECT_EQ(run_words({"cordon", "113f"}), 0);
  EXPECT_EQ(output.out_text, "Machine 113f16a7.../192.0.2.10 is cordoned\n");
  EXPECT_EQ(api.machine_list[0].metadata.at("fleet.cordon"), "cordon");
  EXPECT_EQ(run_words({"uncordon", kId}), 0);
  EXPECT_TRUE(api.machine_list[0].metadata.empty());
}

TEST_F(CordonTest, SaysWhichMachineIsMeantOrWhyNone) {
  api.machine_list.push_back({"113f0000aaaabbbbccccddddeeeeffff", "192.0.2.11", {}});
  EXPECT_EQ(run_words({"cordon", "113f"}), 1);
  EXPECT_EQ(output.err_text, "More than one machine begins with 113f.\n");
  EXPECT_EQ(run_words({"cordon", "9"}), 1);
  EXPECT_EQ(output.err_text, "Machine 9 does not exist.\n");
  EXPECT_EQ(run_words({"cordon", ""}), 1);
  EXPECT_EQ(output.err_text, "One machine must be provided.\n");
  EXPECT_EQ(run_words({"drain"}), 1);
  EXPECT_EQ(output.err_text, "One machine must be provided.\n");
}

TEST_F(CordonTest, DrainWaitsUntilEverythingHasGone) {
  api.unit_map["a.service"] = {"a.service", "launched", "launched", kId, {}};
  int pauses = 0;
  pacer.on_pause = [&] {
    if (++pauses == 3) api.unit_map["a.service"].machine_id = "other";
  };
  EXPECT_EQ(run_words({"drain", "113f16a7"}), 0);
  EXPECT_EQ(output.out_text, "Machine 113f16a7.../192.0.2.10 is drained\n");
  EXPECT_EQ(api.machine_list[0].metadata.at("fleet.cordon"), "drain");
}

TEST_F(CordonTest, DrainEndsWhenNobodyCanTakeWhatIsLeft) {
  api.unit_map["a.service"] = {"a.service", "launched", "launched", kId, {}};
  api.unit_map["b.service"] = {"b.service", "launched", "launched", kId, {}};
  api.eligibilities = {{kId, true, ""}, {"other", true, ""}};
  int pauses = 0;
  pacer.on_pause = [&] {
    if (++pauses == 40) api.unit_map["a.service"].machine_id = "other";
    if (pauses == 60) api.eligibilities[1].eligible = false;
    ASSERT_LT(pauses, 200);
  };
  EXPECT_EQ(run_words({"drain", "113f16a7"}), 1);
  EXPECT_EQ(output.err_text,
            "Unit b.service stays on machine 113f16a7.../192.0.2.10: no other machine can take it, "
            "see fleetctl explain b.service\n");
  EXPECT_GT(pauses, 60);
}

TEST_F(CordonTest, DrainNamesWhatWouldNotGo) {
  api.unit_map["a.service"] = {"a.service", "launched", "launched", kId, {}};
  EXPECT_EQ(run_words({"drain", "--block-attempts=2", "113f16a7"}), 1);
  EXPECT_EQ(output.err_text, "Unit a.service is still on machine 113f16a7.../192.0.2.10\n");
}

}  // namespace
}  // namespace flotilla::fctl
