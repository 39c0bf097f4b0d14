// Units with OnPartition=stop and a fleetd that is dead, or hangs: fleet-lease.service stops them
// in time; one that comes back in time finds them untouched.
#include <signal.h>

#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::SizeIs;

class LeaseTest : public FleetTest {
 protected:
  std::string more_config() const override { return "agent_ttl=3s\n"; }

  void start_unit(const std::string& name, const std::string& more_options = {}) {
    root().write(name + ".service", "[Service]\nExecStart=" FLOTILLA_PROBE " --append=" +
                                        (root() / ("starts-" + name)) + more_options +
                                        "\n[X-Fleet]\nOnPartition=stop\n");
    ASSERT_EQ(fleetctl({"start", name + ".service"}).exit_code, 0) << all_logs();
    ASSERT_TRUE(machine_.wait_for_state(name + ".service", "active running success")) << all_logs();
  }
  bool runs_again(const std::string& name) const {
    return wait_until([&] {
      return starts(name).size() == 2 &&
             machine_.state(name + ".service") == "active running success";
    });
  }
};

class LongLeaseTest : public LeaseTest {
 protected:
  std::string more_config() const override { return "agent_ttl=10m\n"; }
};

TEST_F(LeaseTest, AUnitIsStoppedWhereFleetdStaysDeadAndRunsAgainWhenItIsBack) {
  start_unit("a");
  root().write("b.service", counting_unit("b"));
  ASSERT_EQ(fleetctl({"start", "b.service"}).exit_code, 0) << all_logs();
  ASSERT_TRUE(wait_for_start("b"));
  EXPECT_EQ(systemctl({"stop", "fleetd"}).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("a.service", "inactive dead success")) << all_logs();
  EXPECT_TRUE(machine_.wait_for_state("fleet-lease.service", "failed failed exit-code"));
  EXPECT_EQ(machine_.state("b.service"), "active running success");
  EXPECT_EQ(systemctl({"start", "fleetd"}).exit_code, 0);
  EXPECT_TRUE(runs_again("a")) << all_logs();
  EXPECT_THAT(starts("b"), SizeIs(1));
}

TEST_F(LeaseTest, AUnitThatTakesNoNoticeIsKilledWhereFleetdHangs) {
  start_unit("a", " --on-term=-1");
  const pid_t hung = fleetd();
  ASSERT_EQ(kill(hung, SIGSTOP), 0);
  EXPECT_TRUE(machine_.wait_for_state("a.service", "failed failed signal")) << all_logs();
  ASSERT_EQ(kill(hung, SIGCONT), 0);
  EXPECT_TRUE(runs_again("a")) << all_logs();
}

TEST_F(LongLeaseTest, AFleetdThatIsKilledAndComesBackInTimeTouchesNothing) {
  start_unit("a");
  const pid_t guard = machine_.main_pid("fleet-lease.service");
  const pid_t before = fleetd();
  ASSERT_EQ(kill(before, SIGKILL), 0);
  ASSERT_TRUE(wait_until([&] { return fleetd() != before && fleetd() != 0 && answers(); }));
  ASSERT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " active running"}))
      << all_logs();
  const Outcome stopped = fleetctl({"stop", "a.service"});
  ASSERT_EQ(stopped.exit_code, 0) << stopped << all_logs();
  EXPECT_EQ(machine_.main_pid("fleet-lease.service"), guard);
  EXPECT_THAT(starts("a"), SizeIs(1));
  // Nobody needs it any more.
  ASSERT_EQ(fleetctl({"destroy", "a.service"}).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("fleet-lease.service", "inactive dead success"));
}

TEST_F(LongLeaseTest, WithoutTheServiceThatHoldsTheLeaseUnitsAreStoppedAndStartedAnew) {
  start_unit("a");
  ASSERT_EQ(kill(machine_.main_pid("fleet-lease.service"), SIGKILL), 0);
  EXPECT_TRUE(runs_again("a")) << all_logs();
}

}  // namespace
}  // namespace flotilla::system_test
