// The variables a process starts with (man systemd.exec, "Environment variables in spawned
// processes"), and their order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "base/memory_file_tree.h"
#include "init/exec_context.h"

namespace flotilla::init {
namespace {

using ::testing::ElementsAre;

class ExecEnvironment : public ::testing::Test {
 protected:
  ExecEnvironment() {
    tree_.add_file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    tree_.add_file("/etc/group", "root:x:0:\n");
    command_.set_words("/bin/true", {"/bin/true"});
  }
  std::vector<std::string> environment() {
    PreparedExec::Failure failure;
    EXPECT_TRUE(exec_.prepare(inputs_, tree_, users_, failure)) << failure.message;
    // What the child does.
    for (char* const text : exec_.spec().pid_texts) {
      if (text != nullptr) std::string("4711").copy(text, 5);
    }
    std::vector<std::string> found;
    for (const char* const* at = exec_.spec().environment; *at != nullptr; ++at) {
      found.emplace_back(*at);
    }
    return found;
  }

  base::MemoryFileTree tree_;
  UserDb users_{tree_};
  UnitSettings settings_{*unit::UnitName::parse("a.service")};
  unit::Command command_;
  std::vector<std::string> manager_ = {"PATH=/bin"};
  ExecInputs inputs_{settings_, command_, ServiceCommand::kStart, manager_, "0123"};
  PreparedExec exec_;
};

TEST_F(ExecEnvironment, SaysLittleToAPlainProcess) {
  EXPECT_THAT(environment(),
              ElementsAre("PATH=/bin", "INVOCATION_ID=0123", "SYSTEMD_EXEC_PID=4711"));
}

TEST_F(ExecEnvironment, WatchdogAndExecPidAreBothTheProcess) {
  inputs_.watchdog = Micros(5'000'000);
  inputs_.notify_socket = "/run/systemd/notify";
  EXPECT_THAT(environment(),
              ElementsAre("PATH=/bin", "NOTIFY_SOCKET=/run/systemd/notify", "WATCHDOG_PID=4711",
                          "WATCHDOG_USEC=5000000", "INVOCATION_ID=0123", "SYSTEMD_EXEC_PID=4711"));
}

TEST_F(ExecEnvironment, TellsAStopCommandHowItEnded) {
  inputs_.main_pid = 12;
  inputs_.service_result = "signal";
  inputs_.main_exit = {CLD_KILLED, SIGTERM};
  settings_.service.edit().extras.edit().pid_file = "/run/a.pid";
  EXPECT_THAT(environment(),
              ElementsAre("PATH=/bin", "MAINPID=12", "PIDFILE=/run/a.pid", "SERVICE_RESULT=signal",
                          "EXIT_CODE=killed", "EXIT_STATUS=TERM", "INVOCATION_ID=0123",
                          "SYSTEMD_EXEC_PID=4711"));
}

TEST_F(ExecEnvironment, AUsersManagerNamesItself) {
  inputs_.manager_pid = 99;
  EXPECT_THAT(environment(), ElementsAre("PATH=/bin", "MANAGERPID=99", "INVOCATION_ID=0123",
                                         "SYSTEMD_EXEC_PID=4711"));
}

TEST_F(ExecEnvironment, AnInitScriptIsKeptFromAskingForItself) {
  command_.set_words("/etc/init.d/a", {"/etc/init.d/a"});
  EXPECT_THAT(environment(), ElementsAre("PATH=/bin", "INVOCATION_ID=0123", "SYSTEMD_EXEC_PID=4711",
                                         "SYSTEMCTL_SKIP_REDIRECT=1"));
}

TEST_F(ExecEnvironment, WhatTheUnitSetsWins) {
  inputs_.watchdog = Micros(1);
  settings_.exec.edit().environment = {"WATCHDOG_PID=7", "PATH=/sbin", "A=1", "B=2"};
  settings_.exec.edit().unset_environment = {"INVOCATION_ID", "A=1", "B=1"};
  EXPECT_THAT(environment(), ElementsAre("PATH=/sbin", "WATCHDOG_PID=7", "WATCHDOG_USEC=1",
                                         "SYSTEMD_EXEC_PID=4711", "B=2"));
}

}  // namespace
}  // namespace flotilla::init
