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

  // fleetctl with etcd's address where others have the API's.
  Outcome fleetctl_at_etcd(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "--endpoint=" + EtcdProcess::url());
    return fleetctl(arguments);
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

TEST_F(FleetdOnEtcd, FleetctlWorksOnTheRegistryItself) {
  root().write("a.service", counting_unit("a"));
  EXPECT_THAT(fleetctl_at_etcd({"start", "a.service"}),
              Answers(0,
                      std::string("Unit a.service inactive\nUnit a.service launched on ") +
                          kMachineTail + "\n",
                      ""));
  ASSERT_TRUE(wait_for_start("a"));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"list-units", "--no-legend", "--fields=unit,machine,active,sub"},
        {"list-unit-files"},
        {"list-machines", "--full"},
        {"cat", "a.service"},
        {"explain", "a.service"}}) {
    EXPECT_EQ(fleetctl_at_etcd(words).out, fleetctl(words).out) << words[0];
  }
  EXPECT_EQ(fleetctl({"--driver=etcd", "--endpoint=" + EtcdProcess::url(), "cat", "none"}).err,
            "Unit none.service not found\n");
  EXPECT_THAT(fleetctl_at_etcd({"cordon", "113f"}),
              Answers(0, std::string("Machine ") + kMachineTail + " is cordoned\n", ""));
  EXPECT_EQ(fleetctl_at_etcd({"uncordon", "113f"}).exit_code, 0);
  root().write("a.service", counting_unit("a") + "# another\n[X-Other]\na=b\n");
  EXPECT_EQ(fleetctl_at_etcd({"overwrite", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return starts("a").size() == 2; }));
  EXPECT_EQ(fleetctl_at_etcd({"stop", "a.service"}).err,
            "Successfully stopped units [a.service].\n");
  EXPECT_EQ(fleetctl_at_etcd({"unload", "a.service"}).exit_code, 0);
  EXPECT_THAT(fleetctl_at_etcd({"destroy", "a.service"}), Answers(0, "Destroyed a.service\n", ""));
  EXPECT_EQ(fleetctl({"list-unit-files", "--no-legend"}).out, "");
}

TEST_F(FleetdOnEtcd, ClustersWithDifferentPrefixesDoNotSeeEachOther) {
  const auto elsewhere = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "--etcd-key-prefix=/other/");
    return fleetctl_at_etcd(words);
  };
  root().write("a.service", counting_unit("a"));
  root().write("b.service", counting_unit("b"));
  EXPECT_EQ(fleetctl({"submit", "a.service"}).exit_code, 0);
  EXPECT_EQ(elsewhere({"submit", "b.service"}).exit_code, 0);
  const std::vector<std::string> list{"list-unit-files", "--no-legend", "--fields=unit"};
  EXPECT_EQ(fleetctl(list).out, "a.service\n");
  EXPECT_EQ(elsewhere(list).out, "b.service\n");
  EXPECT_EQ(elsewhere({"list-machines", "--no-legend"}).out, "");

  // The daemon goes over to the other cluster; what it did for the first it does no more.
  write_config("listen=" + socket() + "\n" + more_config() + "etcd_key_prefix=/other\n");
  ASSERT_THAT(machine_.systemctl({"restart", "fleetd"}), Answers(0, "", ""));
  EXPECT_TRUE(wait_until([&] { return fleetctl(list).out == "b.service\n"; })) << all_logs();
  EXPECT_TRUE(wait_until([&] { return !elsewhere({"list-machines", "--no-legend"}).out.empty(); }));
}

TEST_F(FleetdOnEtcd, FleetctlSaysThatEtcdDoesNotAnswer) {
  etcd_.kill();
  const Outcome outcome = fleetctl({"--driver=etcd", "--endpoint=" + EtcdProcess::url(),
                                    "--request-timeout=0.5", "list-machines"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err.find("Unable to initialize client: " + EtcdProcess::url()), 0u)
      << outcome.err;
}

}  // namespace
}  // namespace flotilla::system_test
