#include "fctl/ssh.h"

#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

using Words = std::vector<std::string>;

SshSettings strict_settings() {
  SshSettings settings;
  settings.user = "core";
  settings.known_hosts = "/home/me/.fleetctl/known_hosts";
  return settings;
}

const Words kStrict = {"-o", "ConnectTimeout=10",
                       "-o", "StrictHostKeyChecking=ask",
                       "-o", "UserKnownHostsFile=\"/home/me/.fleetctl/known_hosts\""};

Words joined(Words words, const Words& more, const Words& end) {
  words.insert(words.end(), more.begin(), more.end());
  words.insert(words.end(), end.begin(), end.end());
  return words;
}

TEST(Ssh, NamesUserPortAndKnownHosts) {
  SshSettings settings = strict_settings();
  EXPECT_EQ(ssh_command(settings, "192.0.2.1", ""),
            joined({"ssh", "-l", "core"}, kStrict, {"--", "192.0.2.1"}));
  settings.port = 2222;
  settings.forwards_agent = true;
  EXPECT_EQ(
      ssh_command(settings, "192.0.2.1", "uptime"),
      joined({"ssh", "-l", "core", "-p", "2222"}, kStrict, {"-A", "--", "192.0.2.1", "uptime"}));
}

TEST(Ssh, APortInTheAddressWins) {
  SshSettings settings = strict_settings();
  settings.port = 2222;
  EXPECT_EQ(ssh_command(settings, "host:22", "")[4], "22");
  EXPECT_EQ(ssh_command(settings, "[2001:db8::1]:23", "")[4], "23");
  EXPECT_EQ(ssh_command(settings, "[2001:db8::1]:23", "").back(), "2001:db8::1");
  EXPECT_EQ(ssh_command(settings, "2001:db8::1", "").back(), "2001:db8::1");
}

TEST(Ssh, WithoutChecksKeepsAndAsksNothing) {
  SshSettings settings = strict_settings();
  settings.checks_host_keys = false;
  EXPECT_EQ(ssh_command(settings, "h", ""),
            (Words{"ssh", "-l", "core", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no",
                   "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null",
                   "-o", "LogLevel=ERROR", "--", "h"}));
}

TEST(Ssh, GoesThroughTheTunnelWithTheSamePolicy) {
  SshSettings settings = strict_settings();
  settings.known_hosts = "/it's 100%";
  settings.tunnel = "bastion:2200";
  const Words words = ssh_command(settings, "192.0.2.1", "x");
  EXPECT_EQ(words[words.size() - 4],
            "ProxyCommand='ssh' '-l' 'core' '-p' '2200' '-o' 'ConnectTimeout=10' '-o' "
            "'StrictHostKeyChecking=ask' '-o' 'UserKnownHostsFile=\"/it'\\''s 100%%%%\"' "
            "-W '[%h]:%p' -- 'bastion'");
}

TEST(Ssh, CarriesTheApiThroughTheTunnel) {
  SshSettings settings = strict_settings();
  settings.tunnel = "bastion";
  client::Endpoint endpoint;
  endpoint.path = "/var/run/fleet.sock";
  EXPECT_EQ(tunnelled(settings, endpoint).command,
            joined({"ssh", "-l", "core"}, kStrict,
                   {"-T", "--", "bastion", "fleetctl \"fd-forward\" \"/var/run/fleet.sock\""}));
  EXPECT_EQ(describe(tunnelled(settings, endpoint)), "unix:///var/run/fleet.sock through bastion");
  endpoint.kind = client::Endpoint::Kind::kTcp;
  endpoint.host = "127.0.0.1";
  endpoint.port = "49153";
  EXPECT_EQ(tunnelled(settings, endpoint).command,
            joined({"ssh", "-l", "core"}, kStrict, {"-W", "127.0.0.1:49153", "--", "bastion"}));
}

TEST(Ssh, QuotesRemoteWordsForAShell) {
  EXPECT_EQ(remote_command_of({"systemctl", "status", "-l", "a\\x2d$`\"b.service"}),
            "systemctl \"status\" \"-l\" \"a\\\\x2d\\$\\`\\\"b.service\"");
}

class SshVerb : public FleetctlTest {
 protected:
  void SetUp() override {
    variables["HOME"] = "/home/me";
    api.machine_list.push_back({"113f0000aaaabbbbccccddddeeeeffff", "192.0.2.11", {}});
    add_unit("hello.service", kHello, "launched");
  }
  // The end of what was executed: the address and the command.
  Words executed_tail() const {
    if (executed.empty()) return {};
    const Words& words = executed.back();
    return {std::find(words.begin(), words.end(), "--") + 1, words.end()};
  }
};

TEST_F(SshVerb, FindsMachinesAndUnits) {
  const std::pair<Words, Words> cases[] = {
      {{"ssh", "113f16"}, {"192.0.2.10"}},
      {{"ssh", "hello"}, {"192.0.2.10"}},
      {{"ssh", "--machine=113f00"}, {"192.0.2.11"}},
      {{"ssh", "--unit=hello.service"}, {"192.0.2.10"}},
      {{"ssh", "hello", "cat", "/etc/hostname;", "id"}, {"192.0.2.10", "cat /etc/hostname; id"}},
      {{"ssh", "--machine", "113f16", "--", "ls", "-l"}, {"192.0.2.10", "ls -l"}},
  };
  for (const auto& [words, tail] : cases) {
    EXPECT_EQ(run_words(words), 0) << output.err_text;
    EXPECT_EQ(executed_tail(), tail);
  }
  EXPECT_EQ(folders.front(), "/home/me/.fleetctl");
  exit_status = 42;
  EXPECT_EQ(run_words({"ssh", "hello", "false"}), 42);
}

TEST_F(SshVerb, SaysWhatItCannotFind) {
  add_unit("global.service", "[Service]\nExecStart=/x\n[X-Fleet]\nGlobal=true\n", "launched");
  add_unit("113f16.service", kHello, "launched");
  add_unit("idle.service", kHello, "inactive");
  const std::pair<Words, const char*> cases[] = {
      {{"ssh"}, "Unable to proceed: one machine or unit must be provided\n"},
      {{"ssh", "nope"}, "Unable to proceed: could not find matching unit or machine\n"},
      {{"ssh", "--machine=113f"}, "Unable to proceed: found more than one machine\n"},
      {{"ssh", "--machine=9"}, "Unable to proceed: machine does not exist\n"},
      {{"ssh", "--unit=nope"}, "Unable to proceed: unit does not exist\n"},
      {{"ssh", "--unit=global"}, "Unable to proceed: global units unsupported\n"},
      {{"ssh", "--unit=idle"}, "Could not determine address of machine.\n"},
      {{"ssh", "--unit=a", "--machine=b"},
       "Both machine and unit flags provided, please specify only one.\n"},
      {{"ssh", "113f16"},
       "Unable to proceed: ambiguous argument, both machine and unit found for `113f16`.\n"
       "Please use flag `--machine` or `--unit` to refine the search\n"},
  };
  for (const auto& [words, text] : cases) {
    EXPECT_EQ(run_words(words), 1);
    EXPECT_EQ(output.err_text, text);
  }
  EXPECT_TRUE(executed.empty());
  exit_status = base::not_found("cannot run ssh: no such file");
  EXPECT_EQ(run_words({"ssh", "hello", "id"}), 255);
  EXPECT_EQ(output.err_text, "Failed running command over SSH: cannot run ssh: no such file\n");
  EXPECT_EQ(run_words({"ssh", "hello"}), 1);
}

TEST_F(SshVerb, StatusAndJournalFallBackToIt) {
  api.inspection_failure = {base::Errc::kUnavailable, "ask another machine"};
  exit_status = 3;
  EXPECT_EQ(run_words({"status", "--ssh-port=2222", "hello"}), 3);
  EXPECT_EQ(executed_tail(),
            (Words{"192.0.2.10", "systemctl \"status\" \"-l\" \"hello.service\""}));
  EXPECT_EQ(executed.back()[4], "2222");
  exit_status = 0;
  EXPECT_EQ(run_words({"journal", "--sudo", "--follow", "--lines=5", "hello"}), 0);
  EXPECT_EQ(executed_tail(),
            (Words{"192.0.2.10",
                   "sudo \"journalctl\" \"--unit\" \"hello.service\" \"--no-pager\" \"-n\" \"5\" "
                   "\"--output\" \"short\" \"-f\""}));
  // On the machine itself no ssh is needed.
  files["/etc/machine-id"] = api.machine_list[0].id + "\n";
  EXPECT_EQ(run_words({"status", "hello"}), 0);
  EXPECT_EQ(executed.back(), (Words{"systemctl", "status", "-l", "hello.service"}));
}

TEST_F(SshVerb, FormsWithTheTimeSinceBootComeFromJournalctl) {
  EXPECT_EQ(run_words({"journal", "--output=short-monotonic", "hello"}), 0);
  EXPECT_EQ(executed_tail()[1],
            "journalctl \"--unit\" \"hello.service\" \"--no-pager\" \"-n\" \"10\" \"--output\" "
            "\"short-monotonic\"");
  EXPECT_TRUE(api.calls.empty());
  EXPECT_EQ(run_words({"journal", "--output=cat", "hello"}), 0);
  EXPECT_EQ(api.calls, Words{"log hello.service 10 as cat"});
}

TEST_F(SshVerb, AJournalThatBreaksOffIsNotBegunAgain) {
  api.log_breaks = true;
  EXPECT_EQ(run_words({"journal", "--follow", "hello"}), 1);
  EXPECT_EQ(output.out_text, "hello, world\n");
  EXPECT_EQ(output.err_text,
            "Error retrieving the journal of unit hello.service: the API ended the answer early\n");
  EXPECT_TRUE(executed.empty());
}

TEST_F(SshVerb, SaysWhenAMachineCannotBeReached) {
  api.inspection_failure = {base::Errc::kUnavailable, "ask another machine"};
  api.machine_list[0].primary_ip.clear();
  EXPECT_EQ(run_words({"status", "hello"}), 1);
  EXPECT_EQ(output.err_text,
            "Error getting machine IP: the address of machine 113f16a7aaaabbbbccccddddeeeeffff is "
            "not known\n");
  api.inspection_failure = {base::Errc::kConflict, "googleapi: Error 409: no"};
  EXPECT_EQ(run_words({"status", "hello"}), 1);
  EXPECT_EQ(output.err_text,
            "Error retrieving the status of unit hello.service: googleapi: Error 409: no\n");
  api.inspection_failure = {base::Errc::kUnsupported, "no such route"};
  api.machine_list[0].primary_ip = "192.0.2.10";
  exit_status = 255;
  EXPECT_EQ(run_words({"status", "hello"}), 255);
  EXPECT_EQ(output.err_text, "Unable to SSH to remote host: no connection to 192.0.2.10\n");
}

TEST_F(SshVerb, DoesNotTakeAFailureForTheLackOfAMachine) {
  api.failure = {base::Errc::kInternal, "googleapi: got HTTP response code 500 with body: "};
  EXPECT_EQ(run_words({"ssh", "hello"}), 1);
  EXPECT_EQ(output.err_text,
            "Unable to proceed: googleapi: got HTTP response code 500 with body: \n");
}

}  // namespace
}  // namespace flotilla::fctl
