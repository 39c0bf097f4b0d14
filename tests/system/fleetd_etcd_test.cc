// fleetd on a real etcd: a unit's whole life, and etcd killed and started again meanwhile.
#include <signal.h>
#include <unistd.h>

#include <memory>

#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr char kEtcd[] = "/usr/bin/etcd";

class FleetdOnEtcd : public FleetTest {
 protected:
  void SetUp() override {
    if (access(kEtcd, X_OK) != 0) GTEST_SKIP() << "etcd is not installed";
    start_etcd();
    FleetTest::SetUp();
  }
  void TearDown() override { kill_etcd(); }

  std::string more_config() const override {
    return "registry=etcd:" + url(2379) + "\nagent_ttl=3s\n";
  }

  // Nobody else listens on this process's address, and nobody calls from it.
  static std::string url(int port) {
    const int pid = getpid();
    return "http://127." + std::to_string(128 + (pid >> 16) % 64) + "." +
           std::to_string((pid >> 8) % 256) + "." + std::to_string(pid % 256) + ":" +
           std::to_string(port);
  }
  void start_etcd() {
    etcd_ = std::make_unique<BackgroundCommand>(
        std::vector<std::string>{
            kEtcd, "--data-dir=" + (root() / "etcd"), "--listen-client-urls=" + url(2379),
            "--advertise-client-urls=" + url(2379), "--listen-peer-urls=" + url(2380),
            "--initial-advertise-peer-urls=" + url(2380), "--initial-cluster=default=" + url(2380),
            "--logger=zap"},
        root() / "etcd.log");
  }
  void kill_etcd() {
    if (!etcd_) return;
    etcd_->signal(SIGKILL);
    etcd_->wait();
    etcd_.reset();
  }
  bool start_unit(const std::string& name) const {
    return wait_until([&] { return fleetctl({"start", "--no-block", name}).exit_code == 0; });
  }
  bool fleetd_says(const std::string& text) const {
    return wait_until([&] { return all_logs().find(text) != std::string::npos; });
  }

  std::unique_ptr<BackgroundCommand> etcd_;
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
  kill_etcd();
  start_etcd();
  ASSERT_TRUE(start_unit("b.service")) << all_logs();
  ASSERT_TRUE(wait_for_units(
      {"a.service" + tail + "active running", "b.service" + tail + "active running"}))
      << ::testing::PrintToString(units()) << all_logs();

  // Away for longer than the machine's lease.
  kill_etcd();
  ASSERT_TRUE(fleetd_says("Server monitor triggered")) << all_logs();
  EXPECT_EQ(machine_.main_pid("a.service"), a);
  start_etcd();
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
