// One machine goes from SQLite to etcd with what it runs: what may run twice is neither started nor
// stopped.
#include "etcd_process.h"
#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::SizeIs;

class MoveToEtcd : public FleetTest {
 protected:
  void SetUp() override {
    if (!has_etcd()) GTEST_SKIP() << "etcd is not installed";
    FleetTest::SetUp();
  }
  void TearDown() override { etcd_.kill(); }

  // One unit of each kind that have something to lose, and what is set of machines.
  void start_units() {
    const std::pair<const char*, const char*> units[] = {{"a", ""},
                                                         {"g", "Global=true\n"},
                                                         {"once", "OnPartition=stop\n"},
                                                         {"follows", "MachineOf=a.service\n"}};
    for (const auto& [name, fleet] : units) {
      const std::string file = std::string(name) + ".service";
      root().write(file, counting_unit(name, fleet));
      ASSERT_EQ(fleetctl({"start", file}).exit_code, 0) << all_logs();
      ASSERT_TRUE(wait_for_start(name)) << all_logs();
    }
    root().write("loaded.service", counting_unit("loaded"));
    root().write("filed@.service", counting_unit("filed"));
    ASSERT_EQ(fleetctl({"load", "loaded.service"}).exit_code, 0);
    ASSERT_EQ(fleetctl({"submit", "filed@.service"}).exit_code, 0);
    ASSERT_EQ(fleetctl({"cordon", "113f"}).exit_code, 0);
  }
  std::vector<std::string> running() const {
    std::vector<std::string> pids;
    for (const char* name : {"a", "g", "follows"}) {
      pids.push_back(std::to_string(machine_.main_pid(std::string(name) + ".service")));
    }
    return pids;
  }
  void move_registry() {
    ASSERT_EQ(fleetctl({"export", "registry.json"}).exit_code, 0);
    etcd_.start();
    const std::vector<std::string> import{"--driver=etcd", "--endpoint=" + EtcdProcess::url(),
                                          "import", "registry.json"};
    Outcome imported;
    ASSERT_TRUE(wait_until([&] {
      imported = fleetctl(import);
      return imported.exit_code == 0;
    })) << imported.err;
    write_config("listen=" + socket() + "\nregistry=etcd:" + EtcdProcess::url() + "\n");
  }
  // All tables that do not show how long something has been so.
  std::string tables() const {
    return fleetctl({"list-units", "--fields=unit,machine,active,sub,hash"}).out +
           fleetctl({"list-unit-files"}).out + fleetctl({"list-machines"}).out;
  }
  bool is_on_etcd() const {
    const std::vector<std::string> list{"--driver=etcd", "--endpoint=" + EtcdProcess::url(),
                                        "list-machines", "--no-legend"};
    return wait_until([&] { return fleetctl(list).out.find("113f") == 0; });
  }
  void expect_all_goes_on(const std::string& before, const std::vector<std::string>& pids) {
    ASSERT_TRUE(is_on_etcd()) << all_logs();
    EXPECT_TRUE(wait_until([&] { return tables() == before; })) << tables() << before << all_logs();
    EXPECT_EQ(running(), pids);
    for (const char* name : {"a", "g", "follows"}) EXPECT_THAT(starts(name), SizeIs(1));
    // Which must not run twice was started anew, once the new store had allowed it.
    EXPECT_THAT(starts("once"), SizeIs(2));
    EXPECT_THAT(starts("loaded"), SizeIs(0));
    // It is a registry like any other.
    EXPECT_EQ(fleetctl({"uncordon", "113f"}).exit_code, 0);
    EXPECT_EQ(fleetctl({"start", "loaded.service"}).exit_code, 0);
    EXPECT_TRUE(wait_for_start("loaded"));
    EXPECT_EQ(fleetctl({"stop", "once.service"}).exit_code, 0);
    EXPECT_TRUE(wait_until([&] { return machine_.main_pid("once.service") == 0; }));
    EXPECT_EQ(fleetctl({"destroy", "g.service", "follows.service"}).exit_code, 0);
    EXPECT_TRUE(wait_until([&] { return machine_.main_pid("g.service") == 0; }));
    EXPECT_EQ(std::to_string(machine_.main_pid("a.service")), pids[0]);
  }

  EtcdProcess etcd_{root()};
};

TEST_F(MoveToEtcd, UnitsRunOnWhenTheDaemonReadsItsConfigurationAnew) {
  start_units();
  const std::string before = tables();
  const std::vector<std::string> pids = running();
  move_registry();
  ASSERT_THAT(machine_.systemctl({"kill", "--signal=HUP", "fleetd"}), Answers(0, "", ""));
  expect_all_goes_on(before, pids);
}

TEST_F(MoveToEtcd, UnitsRunOnWhenTheDaemonIsStartedAnew) {
  start_units();
  const std::string before = tables();
  const std::vector<std::string> pids = running();
  move_registry();
  ASSERT_THAT(machine_.systemctl({"restart", "fleetd"}), Answers(0, "", ""));
  expect_all_goes_on(before, pids);
}

}  // namespace
}  // namespace flotilla::system_test
