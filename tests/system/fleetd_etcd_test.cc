// fleetd on a real etcd: a unit's whole life, and etcd killed and started again meanwhile.
#include "etcd_process.h"
#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class FleetdOnEtcd : public FleetTest {
 protected:
  void SetUp() override {
    if (!has_etcd()) GTEST_SKIP() << "etcd is not installed";
    etcd_.start();
    FleetTest::SetUp();
  }
  void TearDown() override { etcd_.kill(); }

  std::string more_config() const override {
    return "registry=etcd:" + EtcdProcess::url() + "\nagent_ttl=3s\n";
  }

  bool start_unit(const std::string& name) const {
    return wait_until([&] { return fleetctl({"start", "--no-block", name}).exit_code == 0; });
  }
  bool fleetd_says(const std::string& text) const {
    return wait_until([&] { return all_logs().find(text) != std::string::npos; });
  }

  EtcdProcess etcd_{root()};
};

TEST_F(FleetdOnEtcd, AUnitIsSubmittedStartedStoppedAndDestroyed) {
  const std::string tail = std::string(" ") + kMachineTail + " ";
  root().write("a.service", counting_unit("a"));
  EXPECT_EQ(fleetctl({"submit", "a.service"}).exit_code, 0);
  EXPECT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_units({"a.service" + tail + "active running"})) << all_logs();
  EXPECT_TRUE(wait_for_start("a"));
  EXPECT_FALSE(root().has("fleet.db"));
  EXPECT_EQ(fleetctl({"stop", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_units({"a.service" + tail + "inactive dead"}))
      << ::testing::PrintToString(units());
  EXPECT_EQ(fleetctl({"destroy", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_units({})) << ::testing::PrintToString(units());
  EXPECT_THAT(starts("a"), SizeIs(1));
}

TEST_F(FleetdOnEtcd, NothingStopsWhenEtcdIsKilledAndWorkGoesOnWhenItIsBack) {
  const std::string tail = std::string(" ") + kMachineTail + " ";
  root().write("a.service", counting_unit("a"));
  root().write("b.service", counting_unit("b"));
  root().write("c.service", counting_unit("c"));
  ASSERT_TRUE(start_unit("a.service"));
  ASSERT_TRUE(wait_for_units({"a.service" + tail + "active running"})) << all_logs();
  ASSERT_TRUE(wait_for_start("a"));
  const pid_t a = machine_.main_pid("a.service");
  const pid_t daemon = fleetd();

  // Away for a moment.
  etcd_.kill();
  etcd_.start();
  ASSERT_TRUE(start_unit("b.service")) << all_logs();
  ASSERT_TRUE(wait_for_units(
      {"a.service" + tail + "active running", "b.service" + tail + "active running"}))
      << ::testing::PrintToString(units()) << all_logs();

  // Away for longer than the machine's lease.
  etcd_.kill();
  ASSERT_TRUE(fleetd_says("Server monitor triggered")) << all_logs();
  EXPECT_EQ(machine_.main_pid("a.service"), a);
  etcd_.start();
  ASSERT_TRUE(start_unit("c.service")) << all_logs();
  EXPECT_TRUE(
      wait_for_units({"a.service" + tail + "active running", "b.service" + tail + "active running",
                      "c.service" + tail + "active running"}))
      << ::testing::PrintToString(units()) << all_logs();
  EXPECT_EQ(machine_.main_pid("a.service"), a);
  EXPECT_EQ(fleetd(), daemon);
  EXPECT_THAT(starts("a"), ElementsAre(std::to_string(a)));
  EXPECT_THAT(starts("b"), SizeIs(1));
}

}  // namespace
}  // namespace flotilla::system_test
