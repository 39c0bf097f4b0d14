// Programs that log by themselves, by syslog(3) and as sd_journal_send(3) does: the manager, as
// PID 1 of a machine without a journal, has the sockets they look for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "namespace_machine.h"

namespace flotilla::system_test {
namespace {

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
    machine_ = std::make_unique<NamespaceMachine>(root_, "journal", root_ / "units",
                                                  std::vector<std::string>{FLOTILLA_INIT});
    ASSERT_TRUE(machine_->wait_until_booted()) << root_.read("journal.log");
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

TEST_F(Journal, ThoseInNoUnitHaveALogTooAndNothingIsLostWhenTheManagerIsReplaced) {
  EXPECT_EQ(machine_->run({"logger", "before"}).exit_code, 0);
  EXPECT_TRUE(wait_for_line("-.slice", "before")) << log_of("-.slice");
  EXPECT_EQ(machine_->run({"systemctl", "daemon-reexec"}).exit_code, 0);
  EXPECT_EQ(machine_->run({"logger", "after"}).exit_code, 0);
  EXPECT_TRUE(wait_for_line("-.slice", "after")) << log_of("-.slice");
}

}  // namespace
}  // namespace flotilla::system_test
