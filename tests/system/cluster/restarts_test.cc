// Daemons and managers that end and come back in time touch no unit.
#include <signal.h>

#include "cluster/cluster_fixture.h"

namespace flotilla::system_test {
namespace {

class RestartsTest : public ClusterTest {
#ifdef FLOTILLA_TEST_SANITIZED
 protected:
  // A daemon takes seconds to start, and has to be back within two thirds of the lease.
  std::chrono::seconds ttl() const override { return std::chrono::seconds(15); }
#endif
};

TEST_F(RestartsTest, KillingTheLeadersFleetdAndItsManagerTouchesNoUnit) {
  start("a");
  start("b", "OnPartition=stop\n");
  ASSERT_NE(place_of("a"), Cluster::kHosts);
  ASSERT_NE(place_of("b"), Cluster::kHosts);
  const size_t leader = cluster().leader();
  ASSERT_NE(leader, Cluster::kHosts);

  const pid_t before = host(leader).fleetd();
  ASSERT_EQ(kill(before, SIGKILL), 0);
  ASSERT_TRUE(wait_until([&] {
    const pid_t now = host(leader).fleetd();
    return now != 0 && now != before && host(leader).answers();
  }));
  expect_work_goes_on("c");

  const size_t second = cluster().leader();
  ASSERT_NE(second, Cluster::kHosts);
  const pid_t manager = host(second).manager();
  ASSERT_EQ(kill(manager, SIGKILL), 0);
  ASSERT_TRUE(wait_until([&] {
    const pid_t now = host(second).manager();
    return now != 0 && now != manager;
  }));
  start("d", "MachineID=" + host(second).id() + "\n");
  EXPECT_EQ(place_of("d"), second) << cluster().logs();
  EXPECT_THAT(starts({"a", "b", "c", "d"}), testing::ElementsAre(1, 1, 1, 1));
}

TEST_F(RestartsTest, FleetdIsRestartedOnAllMachinesUnderLoadAndNoUnitIs) {
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) {
    names.push_back("steady" + std::to_string(i));
    start(names.back(), i % 2 == 0 ? "" : "OnPartition=stop\n");
  }
  for (const std::string& name : names) ASSERT_NE(place_of(name), Cluster::kHosts);
  size_t loads = 0;
  for (size_t i = 0; i < Cluster::kHosts; ++i) {
    // Begun before, asked for while it goes down and comes up.
    const std::string load = "load" + std::to_string(loads++);
    start(load);
    const pid_t before = host(i).fleetd();
    ASSERT_EQ(kill(before, SIGTERM), 0);
    start("load" + std::to_string(loads++));
    ASSERT_TRUE(wait_until([&] {
      return host(i).fleetd() != before && host(i).fleetd() != 0 && host(i).answers();
    })) << host(i).log();
  }
  ASSERT_TRUE(cluster().wait_until_whole());
  for (size_t i = 0; i < loads; ++i) names.push_back("load" + std::to_string(i));
  for (const std::string& name : names) {
    EXPECT_NE(place_of(name), Cluster::kHosts) << name << cluster().logs();
  }
  EXPECT_THAT(starts(names), testing::Each(1)) << cluster().logs();
}

}  // namespace
}  // namespace flotilla::system_test
