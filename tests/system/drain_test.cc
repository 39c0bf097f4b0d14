// drain_on_sigterm: a fleetd that is stopped lets its units go to the other machine first.
#include "fleet_cluster.h"

namespace flotilla::system_test {
namespace {

class DrainOnSigterm : public FleetClusterTest {
 protected:
  std::string more_config(int number) const override {
    return FleetClusterTest::more_config(number) + "drain_on_sigterm=1m\n";
  }
};

TEST_F(DrainOnSigterm, UnitsMoveBeforeFleetdEndsAndTheMachineTakesUnitsAgainLater) {
  a_->write_unit("moves.service", "");
  ASSERT_EQ(a_->fleetctl({"start", "moves.service"}).exit_code, 0) << a_->log();
  // Of two machines that are alike, the lower id.
  ASSERT_TRUE(a_->wait_for_starts("moves.service", 1)) << a_->log();

  ASSERT_THAT(a_->machine().systemctl({"stop", "fleetd"}), Answers(0, "", ""));
  EXPECT_TRUE(b_->wait_for_starts("moves.service", 1)) << a_->log() << b_->log();
  EXPECT_TRUE(wait_until([&] { return a_->machine().main_pid("moves.service") == 0; }));

  ASSERT_THAT(a_->machine().systemctl({"start", "fleetd"}), Answers(0, "", ""));
  b_->write_unit("back.service", "MachineID=" + a_->id() + "\n");
  ASSERT_TRUE(wait_until([&] {
    return b_->fleetctl({"start", "--no-block", "back.service"}).exit_code == 0;
  }));
  EXPECT_TRUE(a_->wait_for_starts("back.service", 1)) << a_->log() << b_->log();
  EXPECT_TRUE(b_->wait_for_starts("moves.service", 1));
}

}  // namespace
}  // namespace flotilla::system_test
