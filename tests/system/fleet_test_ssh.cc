// What fleetctl does over SSH: with an ssh of the test's own, which notes its words and runs the
// remote command here, and with a real server where one is installed.
#include <netinet/in.h>
#include <sys/socket.h>

#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class FleetSsh : public FleetTest {
 protected:
  // fleetctl with `folder` of the root first in PATH.
  Outcome fleetctl_at(const std::string& folder, const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{FLOTILLA_FLEETCTL};
    command.insert(command.end(), arguments.begin(), arguments.end());
    CommandOptions options;
    options.directory = root().path();
    options.environment = {{"FLEETCTL_ENDPOINT", "unix://" + socket()},
                           {"HOME", root() / "home"},
                           {"SSH_AUTH_SOCK", root() / "agent"},
                           {"PATH", (root() / folder) + ":" + getenv("PATH")}};
    return run_command(command, options);
  }
};

class FakeSsh : public FleetSsh {
 protected:
  void SetUp() override {
    FleetSsh::SetUp();
    // The remote side finds fleetctl in its PATH.
    root().write("bin/ssh", "#!/bin/sh\nprintf '%s\\n' \"$@\" >>" + (root() / "words") +
                                "\nwhile [ \"$1\" != -- ]; do shift; done\n[ $# = 2 ] && exec cat\n"
                                "PATH=" +
                                (root() / "remote") + ":$PATH exec sh -c \"$3\"\n");
    root().write("remote/fleetctl",
                 std::string("#!/bin/sh\nexec ") + FLOTILLA_FLEETCTL + " \"$@\"\n");
    root().write("remote/journalctl", "#!/bin/sh\necho journalctl \"$@\"\nexit 5\n");
    for (const char* program : {"bin/ssh", "remote/fleetctl", "remote/journalctl"}) {
      chmod((root() / program).c_str(), 0755);
    }
  }
  Outcome ctl(const std::vector<std::string>& arguments) const {
    return fleetctl_at("bin", arguments);
  }
};

TEST_F(FakeSsh, TheTunnelCarriesTheApi) {
  const std::string tunnel = "--tunnel=bastion.example:2200";
  EXPECT_THAT(ctl({tunnel, "list-machines"}),
              Answers(0, "MACHINE\t\tIP\t\tMETADATA\n113f16a7...\t192.0.2.10\tregion=north\n", ""));
  EXPECT_THAT(root().read("words"),
              "-l\ncore\n-p\n2200\n-o\nConnectTimeout=10\n-o\nStrictHostKeyChecking=ask\n-o\n"
              "UserKnownHostsFile=\"" +
                  (root() / "home/.fleetctl/known_hosts") +
                  "\"\n-T\n--\nbastion.example\nfleetctl \"fd-forward\" \"" + socket() + "\"\n");
  EXPECT_TRUE(root().has("home/.fleetctl"));
  root().write("a@.service", counting_unit("a"));
  EXPECT_THAT(
      ctl({tunnel, "start", "a@1", "a@2"}),
      Answers(0,
              AllOf(StartsWith("Unit a@1.service inactive\nUnit a@2.service inactive\n"),
                    HasSubstr(std::string("Unit a@2.service launched on ") + kMachineTail + "\n")),
              ""));
  EXPECT_EQ(ctl({tunnel, "destroy", "a@*"}).exit_code, 0);
}

TEST_F(FakeSsh, RunsCommandsOnTheMachineAndExitsAsTheyDo) {
  EXPECT_THAT(ctl({"ssh", "113f16", "echo", "$((1+2));", "exit", "9"}), Answers(9, "3\n", ""));
  EXPECT_THAT(root().read("words"), HasSubstr("\n--\n192.0.2.10\necho $((1+2)); exit 9\n"));
}

TEST_F(FakeSsh, AJournalWithTheTimeSinceBootComesFromJournalctl) {
  root().write("a.service", counting_unit("a"));
  ASSERT_EQ(ctl({"start", "a.service"}).exit_code, 0);
  EXPECT_THAT(
      ctl({"journal", "--output=short-monotonic", "--lines=3", "a"}),
      Answers(5, "journalctl --unit a.service --no-pager -n 3 --output short-monotonic\n", ""));
}

TEST_F(FakeSsh, FdForwardSpeaksToTheSocket) {
  std::vector<std::string> command{FLOTILLA_FLEETCTL, "fd-forward", socket()};
  CommandOptions options;
  options.input = "GET /fleet/v1/machines HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_THAT(run_command(command, options).out, HasSubstr("\"id\":\"113f16a7"));
  EXPECT_THAT(ctl({"fd-forward", root() / "absent"}),
              Answers(0, "", StartsWith("Failed dialing remote address: ")));
  EXPECT_THAT(ctl({"fd-forward"}), Answers(1, "", "Provide a single argument\n"));
}

class RealSsh : public FleetSsh {
 protected:
  static constexpr const char* kServer = "/usr/sbin/sshd";

  void SetUp() override {
    for (const char* program : {kServer, "/usr/bin/ssh", "/usr/bin/ssh-agent"}) {
      if (access(program, X_OK) != 0) GTEST_SKIP() << program << " is not installed";
    }
    if (is_root() && access("/run/sshd", X_OK) != 0) GTEST_SKIP() << "sshd is not set up here";
    FleetSsh::SetUp();
    root().make_directory("home");
    root().make_directory("bin");
    for (const char* key : {"host", "key"}) {
      ASSERT_EQ(run_command({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root() / key})
                    .exit_code,
                0);
    }
    agent_.emplace(std::vector<std::string>{"ssh-agent", "-D", "-a", root() / "agent"},
                   root() / "agent.log");
    ASSERT_TRUE(wait_until([&] { return root().has("agent"); }));
    CommandOptions with_agent;
    with_agent.environment = {{"SSH_AUTH_SOCK", root() / "agent"}};
    ASSERT_EQ(run_command({"ssh-add", "-q", root() / "key"}, with_agent).exit_code, 0);
    ASSERT_TRUE(start_server()) << root().read("sshd.log");
  }

  // On a port that was free a moment ago; on another one if it no longer is.
  bool start_server() {
    for (int tries = 0; tries < 5; ++tries) {
      port_ = free_port();
      const std::string programs = FLOTILLA_FLEETCTL;
      root().write("sshd_config", "Port " + std::to_string(port_) +
                                      "\nListenAddress 127.0.0.1\nHostKey " + (root() / "host") +
                                      "\nAuthorizedKeysFile " + (root() / "key.pub") +
                                      "\nPidFile none\nStrictModes no\nUsePAM no\n"
                                      "PermitRootLogin yes\nSetEnv PATH=" +
                                      programs.substr(0, programs.rfind('/')) + ":/usr/bin:/bin\n");
      server_.emplace(std::vector<std::string>{kServer, "-D", "-e", "-f", root() / "sshd_config"},
                      root() / "sshd.log");
      wait_until([&] { return !server_->is_running() || !scan().empty(); });
      if (server_->is_running()) return true;
    }
    return false;
  }
  // The server's key as a line of known hosts.
  std::string scan() const {
    return run_command({"ssh-keyscan", "-p", std::to_string(port_), "127.0.0.1"}).out;
  }
  static int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    close(fd);
    return ntohs(address.sin_port);
  }
  Outcome ctl(std::vector<std::string> arguments) const {
    const Outcome user = run_command({"id", "-un"});
    arguments.insert(arguments.begin(),
                     {"--ssh-username=" + user.out.substr(0, user.out.find('\n')),
                      "--known-hosts-file=" + (root() / "known_hosts"),
                      "--tunnel=127.0.0.1:" + std::to_string(port_)});
    return fleetctl_at("bin", arguments);
  }

  std::optional<BackgroundCommand> agent_;
  std::optional<BackgroundCommand> server_;
  int port_ = 0;
};

TEST_F(RealSsh, ChecksHostKeysAndCarriesTheApi) {
  // Nobody is there to be asked about an unknown key.
  EXPECT_THAT(ctl({"list-machines"}), Answers(1, "", HasSubstr("Host key verification failed.")));
  EXPECT_THAT(ctl({"--strict-host-key-checking=false", "list-machines", "--no-legend"}),
              Answers(0, "113f16a7...\t192.0.2.10\tregion=north\n", ""));
  EXPECT_THAT(root().read("known_hosts"), IsEmpty());
  root().write("known_hosts", scan());
  root().write("a@.service", counting_unit("a"));
  EXPECT_THAT(ctl({"start", "a@1.service"}),
              Answers(0, HasSubstr("Unit a@1.service launched on "), ""));
  EXPECT_THAT(ctl({"status", "a@1.service"}), Answers(0, HasSubstr("active (running)"), ""));
}

}  // namespace
}  // namespace flotilla::system_test
