// Two machines over one etcd: what is asked of one about units of the other.
#include "fleet_cluster.h"

#include "tls/test_certificates.h"

namespace flotilla::system_test {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FleetCluster : public FleetClusterTest {
 protected:
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

class FleetClusterWithTls : public FleetClusterTest {
 protected:
  std::string more_config(int number) const override {
    const std::string tcp = "https://" + api(number);
    return tcp + "\napi_address=" + tcp + "\napi_cafile=" + node_.ca_file +
           "\napi_certfile=" + node_.cert_file + "\napi_keyfile=" + node_.key_file +
           "\napi_admins=node.example,admin\n";
  }
  // fleetctl at a's TLS address with these files.
  Outcome fleetctl_as(const tls::Files& files, const std::vector<std::string>& arguments) const {
    return a_->fleetctl_with({{"FLEETCTL_ENDPOINT", "https://" + api(1)},
                              {"FLEETCTL_CA_FILE", files.ca_file},
                              {"FLEETCTL_CERT_FILE", files.cert_file},
                              {"FLEETCTL_KEY_FILE", files.key_file}},
                             arguments);
  }

  const tls::TestAuthority authority_{folder_.path(), "authority"};
  const tls::Files node_ = authority_.issue("node.example", 3600, "IP:" + own_loopback_address());
};

TEST_F(FleetClusterWithTls, CarriesWhatOneMachineAsksOfTheOther) {
  start_on_b();
  EXPECT_THAT(a_->fleetctl({"status", "far"}), Answers(0, HasSubstr("active (running)"), ""));
  const tls::Files admin = authority_.issue("admin");
  EXPECT_THAT(fleetctl_as(admin, {"restart", "far"}),
              Answers(0, _, HasSubstr("Unit(far.service) was restarted.")));
  EXPECT_TRUE(b_->wait_for_starts("far.service", 2));
  EXPECT_TRUE(wait_until([&] {
    return fleetctl_as(admin, {"journal", "far"}).out.find(": hello\n") != std::string::npos;
  }));
  // Another implementation of TLS's client.
  const Outcome curl =
      run_command({"curl", "-sS", "--cacert", admin.ca_file, "--cert", admin.cert_file, "--key",
                   admin.key_file, "https://" + api(1) + "/readyz"});
  EXPECT_THAT(curl, Answers(0, "ok\n", ""));
  // New connections are served after a reload, with the certificates as they are then.
  ASSERT_THAT(a_->machine().systemctl({"kill", "--signal=HUP", "fleetd"}), Answers(0, "", ""));
  EXPECT_TRUE(wait_until([&] { return a_->log().find("Reloading") != std::string::npos; }));
  EXPECT_TRUE(wait_until([&] { return fleetctl_as(admin, {"list-machines"}).exit_code == 0; }));
}

TEST_F(FleetClusterWithTls, KnowsClientsByTheirCertificates) {
  const tls::Files reader = authority_.issue("reader");
  EXPECT_THAT(fleetctl_as(reader, {"list-machines", "--no-legend"}), Answers(0, _, ""));
  a_->write_unit("new.service", "");
  EXPECT_THAT(fleetctl_as(reader, {"submit", "new.service"}),
              Answers(1, "", HasSubstr("Error 403: your certificate may only read")));
  EXPECT_THAT(fleetctl_as(authority_.issue("admin"), {"submit", "new.service"}),
              Answers(0, "Unit new.service inactive\n", ""));

  const tls::TestAuthority other(folder_.path(), "other");
  tls::Files stranger = other.issue("stranger");
  stranger.ca_file = authority_.file();
  const std::pair<tls::Files, std::string> refused[] = {
      {{authority_.file(), "", ""}, "it asks for a client certificate"},
      {authority_.issue("old", -3600), "it refuses our certificate, which has expired"},
      {stranger, "it does not know the authority of our certificate"},
      {other.issue("admin2"), "its certificate is not signed by the given authority"},
      {{"/none", "", ""}, "/none cannot be read: No such file or directory"},
  };
  for (const auto& [files, why] : refused) {
    EXPECT_THAT(fleetctl_as(files, {"list-machines"}), Answers(1, "", HasSubstr(why)));
  }
  EXPECT_TRUE(wait_until([&] {
    return a_->log().find("Refused a client of the API: it has no certificate") !=
           std::string::npos;
  }));
}

}  // namespace
}  // namespace flotilla::system_test
