// Programs that log by themselves, by syslog(3) and as sd_journal_send(3) does: the manager, as
// PID 1 of a machine without a journal, has the sockets they look for.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "logs/log_line.h"
#include "namespace_machine.h"

namespace flotilla::system_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class Journal : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "a machine of namespaces needs root";
    const Outcome found = run_command({"sh", "-c", "command -v logger && command -v systemd-cat"});
    if (found.exit_code != 0) GTEST_SKIP() << "needs logger and systemd-cat";
    root_.write("units/default.target", "[Unit]\nDefaultDependencies=no\n");
    // Both stay: of a process that is gone nobody can tell what unit it was in.
    root_.write("units/a.service",
                "[Unit]\nDefaultDependencies=no\n[Service]\nStandardOutput=null\n"
                "ExecStart=/bin/sh -c '(echo by syslog; exec sleep 1000) | logger -t probe'\n");
    root_.write("units/b.service",
                "[Unit]\nDefaultDependencies=no\n[Service]\nStandardOutput=null\n"
                "ExecStart=/usr/bin/systemd-cat /bin/sh -c 'echo by stream; exec sleep 1000'\n");
    write_daemon(kLimits);
    machine_ = std::make_unique<NamespaceMachine>(root_, "journal", root_ / "units",
                                                  std::vector<std::string>{FLOTILLA_INIT});
    ASSERT_TRUE(machine_->wait_until_booted()) << root_.read("journal.log");
  }
  static constexpr char kLimits[] =
      "LogLevelMax=warning\nLogRateLimitIntervalSec=1h\nLogRateLimitBurst=2\nLogExtraFields=A=1\n";
  // It has no stream left, and says three times the same to each of the sockets.
  void write_daemon(const std::string& limits) {
    std::string text = "[Unit]\nDefaultDependencies=no\n[Service]\nType=forking\n" + limits;
    text += "ExecStart=" FLOTILLA_PROBE " --detach=/";
    for (const char* one : {"1", "2", "3"}) {
      text += fmt::format(R"( "--syslog=<27>d: error {0}" "--syslog=<30>d: info {0}")"
                          R"( "--journal=MESSAGE=warning {0}\nPRIORITY=4\n")"
                          R"( "--journal=MESSAGE=debug {0}\nPRIORITY=7\n")",
                          one);
    }
    text += R"( "--syslog=<26>d: end" "--journal=MESSAGE=the end\nPRIORITY=2\n")";
    root_.write("units/d.service", text + "\n");
  }
  // The messages of a log but those of the manager, in order of their texts.
  std::vector<std::string> messages_of(const std::string& unit) const {
    std::vector<std::string> messages;
    std::istringstream lines(log_of(unit));
    for (std::string line; std::getline(lines, line);) {
      if (line.size() < logs::kLineHeadSize) continue;
      line.erase(0, logs::kLineHeadSize);
      if (line.find(unit) == std::string::npos) messages.push_back(line);
    }
    std::sort(messages.begin(), messages.end());
    return messages;
  }
  std::string links() const {
    return machine_->run({"sh", "-c", "cd /run/systemd/units && ls | grep d.service"}).out;
  }
  std::string log_of(const std::string& unit) const {
    return machine_->run({"sh", "-c", "cat /var/log/flotilla/" + unit + "/*.log"}).out;
  }
  bool wait_for_line(const std::string& unit, const std::string& text) const {
    return wait_until([&] { return log_of(unit).find(" " + text + "\n") != std::string::npos; });
  }

  TemporaryRoot root_;
  std::unique_ptr<NamespaceMachine> machine_;
};

TEST_F(Journal, WhatServicesSayBySyslogOrAStreamIsInTheirLogs) {
  EXPECT_EQ(machine_->run({"systemctl", "start", "a", "b"}).exit_code, 0);
  EXPECT_TRUE(wait_for_line("a.service", "by syslog")) << log_of("a.service");
  EXPECT_TRUE(wait_for_line("b.service", "by stream")) << log_of("b.service");
  EXPECT_EQ(machine_->run({"readlink", "/dev/log"}).out, "/run/systemd/journal/dev-log\n");
}

TEST_F(Journal, TheLimitsOfAUnitHoldForWhatADaemonSaysByItself) {
  EXPECT_EQ(machine_->run({"systemctl", "start", "d"}).exit_code, 0);
  EXPECT_TRUE(wait_for_line("d.service", "end")) << log_of("d.service");
  EXPECT_TRUE(wait_for_line("d.service", "the end")) << log_of("d.service");
  EXPECT_THAT(messages_of("d.service"),
              ElementsAre("end", "error 1", "error 2", "the end", "warning 1", "warning 2"));
  const std::string all =
      "invocation:d.service\nlog-extra-fields:d.service\nlog-level-max:d.service\n"
      "log-rate-limit-burst:d.service\nlog-rate-limit-interval:d.service\n";
  EXPECT_EQ(links(), all);
  EXPECT_EQ(machine_->run({"readlink", "/run/systemd/units/invocation:d.service"}).out,
            machine_->run({"systemctl", "show", "--value", "-p", "InvocationID", "d"}).out);

  // What is changed holds from the next start on.
  write_daemon("LogLevelMax=info\n");
  EXPECT_EQ(machine_->run({"systemctl", "daemon-reload"}).exit_code, 0);
  EXPECT_EQ(links(), all);
  EXPECT_EQ(machine_->run({"systemctl", "daemon-reexec"}).exit_code, 0);
  EXPECT_EQ(links(), all);
  EXPECT_EQ(machine_->run({"systemctl", "restart", "d"}).exit_code, 0);
  EXPECT_EQ(links(), "invocation:d.service\nlog-level-max:d.service\n");
  const auto ends = [&] {
    const std::vector<std::string> messages = messages_of("d.service");
    return std::count(messages.begin(), messages.end(), "end") +
           std::count(messages.begin(), messages.end(), "the end");
  };
  EXPECT_TRUE(wait_until([&] { return ends() == 4; })) << log_of("d.service");
  const std::vector<std::string> now = messages_of("d.service");
  for (const char* said : {"error 3", "warning 3", "info 1", "info 2", "info 3"}) {
    EXPECT_THAT(now, Contains(said));
  }
  EXPECT_THAT(now, Not(Contains("debug 1")));
  EXPECT_EQ(machine_->run({"systemctl", "stop", "d"}).exit_code, 0);
  EXPECT_EQ(links(), "");
}

TEST_F(Journal, ThoseInNoUnitHaveALogTooAndNothingIsLostWhenTheManagerIsReplaced) {
  EXPECT_EQ(machine_->run({"logger", "before"}).exit_code, 0);
  EXPECT_TRUE(wait_for_line("-.slice", "before")) << log_of("-.slice");
  EXPECT_EQ(machine_->run({"systemctl", "daemon-reexec"}).exit_code, 0);
  EXPECT_EQ(machine_->run({"logger", "after"}).exit_code, 0);
  EXPECT_TRUE(wait_for_line("-.slice", "after")) << log_of("-.slice");
}

}  // namespace
}  // namespace flotilla::system_test
