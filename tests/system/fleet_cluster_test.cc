// Two machines over one etcd: what is asked of one about units of the other.
#include "fleet_cluster.h"

namespace flotilla::system_test {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FleetCluster : public FleetClusterTest {
 protected:
  // A unit that runs on b, started through a.
  void start_on_b() {
    a_->write_unit("far.service", "MachineID=" + b_->id() + "\n");
    ASSERT_THAT(a_->fleetctl({"start", "far.service"}),
                Answers(0, HasSubstr("Unit far.service launched on bbbbbbbb..."), ""));
    ASSERT_TRUE(b_->wait_for_starts("far.service", 1)) << b_->log();
  }
  static size_t hellos_in(const std::string& text) {
    const std::vector<std::string> lines = lines_of(text);
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [](const auto& line) {
      return line.find(": hello") != std::string::npos;
    }));
  }
  bool journal_has(const std::string& unit, size_t hellos) const {
    return wait_until([&] { return hellos_in(a_->fleetctl({"journal", unit}).out) == hellos; });
  }
  bool followed_has(size_t hellos) const {
    return wait_until([&] { return hellos_in(a_->root().read("followed")) == hellos; });
  }
};

TEST_F(FleetCluster, StatusJournalAndRestartReachAUnitOfAnotherMachine) {
  start_on_b();
  EXPECT_THAT(
      a_->fleetctl({"status", "far"}),
      Answers(0, AllOf(StartsWith("● far.service"), HasSubstr("Active: active (running)")), ""));
  EXPECT_TRUE(journal_has("far", 1)) << a_->fleetctl({"journal", "far"});

  const auto follower = a_->begin_fleetctl({"journal", "--follow", "far"}, "followed");
  EXPECT_TRUE(followed_has(1)) << a_->root().read("followed");
  const pid_t before = b_->machine().main_pid("far.service");
  EXPECT_THAT(a_->fleetctl({"restart", "far"}),
              Answers(0, StartsWith("Unit far.service launched on bbbbbbbb..."),
                      HasSubstr("Unit(far.service) was restarted.")));
  EXPECT_TRUE(b_->wait_for_starts("far.service", 2));
  EXPECT_NE(b_->machine().main_pid("far.service"), before);
  EXPECT_TRUE(followed_has(2)) << a_->root().read("followed");
  follower->signal(SIGTERM);
  follower->wait();

  EXPECT_EQ(a_->fleetctl({"stop", "far"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] {
    return a_->fleetctl({"status", "far"}).exit_code == 3;
  })) << a_->fleetctl({"status", "far"});
}

TEST_F(FleetCluster, AGlobalUnitIsAskedForOnEveryMachineOrOnOne) {
  a_->write_unit("g.service", "Global=true\n");
  ASSERT_EQ(a_->fleetctl({"start", "g.service"}).exit_code, 0);
  ASSERT_TRUE(a_->wait_for_starts("g.service", 1));
  ASSERT_TRUE(b_->wait_for_starts("g.service", 1));
  ASSERT_TRUE(wait_until([&] {
    return a_->fleetctl({"list-unit-files", "-o", "wide", "--no-legend"}).out.find("launched(2)") !=
           std::string::npos;
  }));
  const Outcome both = a_->fleetctl({"status", "g"});
  EXPECT_THAT(both, Answers(0, _, ""));
  EXPECT_EQ(both.out.find("● g.service"), 0U) << both;
  EXPECT_NE(both.out.find("\n\n● g.service"), std::string::npos) << both;
  EXPECT_THAT(a_->fleetctl({"journal", "g"}),
              Answers(0,
                      AllOf(HasSubstr("-- machine " + a_->id() + " --\n"),
                            HasSubstr("-- machine " + b_->id() + " --\n")),
                      ""));
  EXPECT_THAT(a_->fleetctl({"restart", "--machine=bbbb", "g"}),
              Answers(0, "Triggered global unit g.service restart\n", ""));
  EXPECT_TRUE(b_->wait_for_starts("g.service", 2));
  EXPECT_TRUE(a_->wait_for_starts("g.service", 1));
  // A client that names no machine means all of them, in one request.
  const Outcome all = run_command({"curl", "-sS", "--unix-socket", a_->socket(), "-X", "POST", "-w",
                                   "%{http_code}", "http://x/fleet/v1/units/g.service/restart"});
  EXPECT_EQ(all.out, "204") << all << a_->log();
  EXPECT_TRUE(a_->wait_for_starts("g.service", 2));
  EXPECT_TRUE(b_->wait_for_starts("g.service", 3));
}

TEST_F(FleetCluster, SaysInOneSentenceThatAMachineDoesNotAnswer) {
  start_on_b();
  ASSERT_THAT(b_->machine().systemctl({"stop", "fleetd"}), Answers(0, "", ""));
  const Outcome answer = run_command(
      {"curl", "-sS", "--unix-socket", a_->socket(), "http://x/fleet/v1/units/far.service/status"});
  EXPECT_THAT(answer.out, AllOf(HasSubstr("\"code\":503"),
                                HasSubstr("unit runs on machine " + b_->id() +
                                          ", whose API at http://" + own_loopback_address() +
                                          ":4002 cannot be used: Connection refused")));
}

}  // namespace
}  // namespace flotilla::system_test
