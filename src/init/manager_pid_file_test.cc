// Services whose main process a file names: PIDFile= and the wait for it.
#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

class PidFileTest : public ManagerTest {
 protected:
  // A daemon that is about to write its pid: its first process has ended, its child lives.
  void start_daemon() {
    unit("d.service",
         "[Unit]\nDefaultDependencies=no\n[Service]\nType=forking\nPIDFile=/run/d/d.pid\n"
         "ExecStart=/bin/d\nTimeoutStartSec=10\n");
    boot();
    ask("d.service", "start");
    const pid_t first = spawner_.last().pid;
    daemon_ = first + 1000;
    for (auto& [path, group] : tracker_.groups) group.pids.insert(daemon_);
    exit(first, CLD_EXITED, 0);
  }
  void write_pid(const std::string& text) {
    tree_.add_file("/run/d/d.pid", text);
    paths_.touch("/run/d/d.pid");
    settle();
  }
  pid_t daemon_ = 0;
};

TEST_F(PidFileTest, IsAwaitedWithoutWakingUp) {
  start_daemon();
  EXPECT_EQ(state_of("d.service"), "activating/start");
  EXPECT_TRUE(paths_.watches_for("/run/d/d.pid"));
  // The next thing that happens by itself is the timeout.
  EXPECT_GE(timers_.next_deadline(), timers_.clock().monotonic() + Micros(9'000'000));
  write_pid("nonsense\n");
  EXPECT_EQ(state_of("d.service"), "activating/start");
  write_pid(std::to_string(daemon_) + "\n");
  EXPECT_EQ(state_of("d.service"), "active/running");
  EXPECT_EQ(main_pid("d.service"), daemon_);
  EXPECT_FALSE(paths_.watches_for("/run/d/d.pid"));
}

TEST_F(PidFileTest, ThatNeverComesEndsInTheTimeout) {
  start_daemon();
  advance(Micros(11'000'000));
  EXPECT_EQ(result_of("d.service"), "timeout");
  EXPECT_FALSE(paths_.watches_for("/run/d/d.pid"));
}

TEST_F(PidFileTest, IsAwaitedOnByTheNextManager) {
  start_daemon();
  restart_manager();
  EXPECT_EQ(state_of("d.service"), "activating/start");
  write_pid(std::to_string(daemon_));
  EXPECT_EQ(main_pid("d.service"), daemon_);
}

TEST_F(PidFileTest, WrittenWhileNoManagerWasThereIsFoundByTheNext) {
  start_daemon();
  tree_.add_file("/run/d/d.pid", std::to_string(daemon_));
  restart_manager();
  EXPECT_EQ(state_of("d.service"), "active/running");
  EXPECT_EQ(main_pid("d.service"), daemon_);
}

}  // namespace
}  // namespace flotilla::init
