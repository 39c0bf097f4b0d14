// Two machines over one etcd: units go from the one that has them all to the other.
#include <map>

#include "fleet_cluster.h"

namespace flotilla::system_test {
namespace {

class Rebalance : public FleetClusterTest {
 protected:
  // Unit, machine and what it does, line by line.
  std::string where() const {
    return a_->fleetctl({"list-units", "--no-legend", "--full", "--fields=unit,machine,sub"}).out;
  }
  std::string line(const std::string& unit, const ClusterNode& node) const {
    return unit + "\t" + node.id() + "/" + own_loopback_address() + "\trunning\n";
  }
  static std::string label(const ClusterNode& node) {
    return node.id().substr(0, 8) + ".../" + own_loopback_address();
  }
};

TEST_F(Rebalance, HalfOfTheUnitsGoAndTheOthersStay) {
  ASSERT_EQ(a_->fleetctl({"cordon", "bbbb"}).exit_code, 0);
  for (const char* name : {"u1.service", "u2.service", "u3.service", "u4.service"}) {
    a_->write_unit(name, "");
    ASSERT_EQ(a_->fleetctl({"start", name}).exit_code, 0) << a_->log();
    ASSERT_TRUE(a_->wait_for_starts(name, 1)) << a_->log();
  }
  ASSERT_EQ(a_->fleetctl({"uncordon", "bbbb"}).exit_code, 0);
  EXPECT_THAT(
      a_->fleetctl({"rebalance", "--dry-run"}),
      Answers(
          0,
          "Would move unit u1.service from " + label(*a_) + " to " + label(*b_) +
              ": its machine has a load of 4, the other of 0\nWould move unit u2.service from " +
              label(*a_) + " to " + label(*b_) + ": its machine has a load of 3, the other of 1\n",
          ""));
  EXPECT_THAT(a_->fleetctl({"rebalance"}),
              Answers(0,
                      "Unit u1.service moved from " + label(*a_) + " to " + label(*b_) +
                          "\nUnit u2.service moved from " + label(*a_) + " to " + label(*b_) + "\n",
                      ""));
  for (const char* name : {"u1.service", "u2.service"}) {
    EXPECT_TRUE(b_->wait_for_starts(name, 1)) << b_->log();
    EXPECT_TRUE(wait_until([&] { return a_->machine().main_pid(name) == 0; })) << a_->log();
  }
  for (const char* name : {"u3.service", "u4.service"}) {
    EXPECT_NE(a_->machine().main_pid(name), 0);
    EXPECT_TRUE(a_->wait_for_starts(name, 1));
  }
  EXPECT_TRUE(wait_until([&] {
    return where() == line("u1.service", *b_) + line("u2.service", *b_) + line("u3.service", *a_) +
                          line("u4.service", *a_);
  })) << where();
  EXPECT_THAT(b_->fleetctl({"rebalance"}), Answers(0, "Nothing to move\n", ""));
}

TEST_F(Rebalance, UnitsThatFollowOthersGoWithThem) {
  ASSERT_EQ(a_->fleetctl({"cordon", "bbbb"}).exit_code, 0);
  const std::map<std::string, std::string> units{
      {"d1.service", "MachineOf=db.service\n"},
      {"d2.service", "MachineOf=d1.service\n"},
      {"db.service", ""},
      {"u1.service", "Weight=3\nMachineID=" + a_->id() + "\n"}};
  for (const char* name : {"db.service", "d1.service", "d2.service", "u1.service"}) {
    a_->write_unit(name, units.at(name));
    ASSERT_EQ(a_->fleetctl({"start", name}).exit_code, 0) << a_->log();
    ASSERT_TRUE(a_->wait_for_starts(name, 1)) << a_->log();
  }
  ASSERT_EQ(a_->fleetctl({"uncordon", "bbbb"}).exit_code, 0);
  const Outcome moved = a_->fleetctl({"rebalance"});
  EXPECT_EQ(moved.exit_code, 0) << moved.err;
  for (const char* name : {"d1.service", "d2.service", "db.service"}) {
    EXPECT_TRUE(b_->wait_for_starts(name, 1)) << moved.out << b_->log();
    EXPECT_TRUE(wait_until([&] { return a_->machine().main_pid(name) == 0; })) << a_->log();
    EXPECT_NE(b_->machine().main_pid(name), 0);
  }
  EXPECT_NE(a_->machine().main_pid("u1.service"), 0);
  EXPECT_TRUE(a_->wait_for_starts("u1.service", 1));
  EXPECT_THAT(a_->fleetctl({"rebalance"}), Answers(0, "Nothing to move\n", ""));
}

}  // namespace
}  // namespace flotilla::system_test
