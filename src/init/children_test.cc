#include "init/children.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace flotilla::init {
namespace {

pid_t fork_exit(int code) {
  const pid_t pid = fork();
  if (pid == 0) _exit(code);
  return pid;
}

class ChildExits : public testing::Test {
 protected:
  void drain() { log_ += "drain "; }
  void on_unknown(const ChildExit& exit) { log_ += "unknown " + describe(exit); }
  void on_exit(const ChildExit& exit) {
    log_ += "exit " + describe(exit);
    // The zombie is there until we return.
    siginfo_t info{};
    zombie_seen_ =
        waitid(P_PID, static_cast<id_t>(exit.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == exit.pid;
    loop_->exit(0);
  }
  static std::string describe(const ChildExit& exit) {
    return std::to_string(exit.pid) + ":" + std::to_string(exit.code) + ":" +
           std::to_string(exit.status) + " ";
  }

  std::string log_;
  bool zombie_seen_ = false;
  std::unique_ptr<Loop> loop_ = std::move(Loop::create()).value();
  std::unique_ptr<Children> children_ =
      std::move(
          Children::create(*loop_, Callback<void()>::to<&ChildExits::drain>(*this),
                           Callback<void(const ChildExit&)>::to<&ChildExits::on_unknown>(*this)))
          .value();
  ChildWatch watch_{Callback<void(const ChildExit&)>::to<&ChildExits::on_exit>(*this)};
};

TEST_F(ChildExits, AWatcherHearsOfTheExitBeforeTheZombieGoesAndAfterTheDrain) {
  const pid_t pid = fork_exit(3);
  children_->watch(watch_, pid);
  ASSERT_TRUE(loop_->run());
  EXPECT_EQ(log_, "drain exit " + describe({pid, CLD_EXITED, 3, 0}));
  EXPECT_TRUE(zombie_seen_);
  EXPECT_FALSE(watch_.is_watching());
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(ChildExits, WithoutAKeeperTheEndOfAStrangerIsSeenByItself) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[1]);
      for (;;) pause();
    }
    static_cast<void>(write(ends[1], &pid, sizeof pid));
    _exit(0);
  }
  pid_t pid = 0;
  ASSERT_EQ(read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  close(ends[0]);
  close(ends[1]);
  ASSERT_EQ(waitpid(parent, nullptr, 0), parent);
  children_->watch(watch_, pid);
  children_->watch_strangers(*loop_);
  EXPECT_EQ(log_, "");
  kill(pid, SIGKILL);
  ASSERT_TRUE(loop_->run());
  EXPECT_EQ(log_, "drain exit " + describe({pid, CLD_KILLED, SIGKILL, 0}));
  log_.clear();
  // One that has gone before is told of at once, or as soon as the loop turns if it is a zombie.
  children_->watch(watch_, pid);
  children_->watch_strangers(*loop_);
  while (log_.empty()) ASSERT_TRUE(loop_->turn(base::Micros::max()));
  EXPECT_EQ(log_, "drain exit " + describe({pid, CLD_KILLED, SIGKILL, 0}));
}

TEST_F(ChildExits, ADeathBySignalIsTold) {
  const pid_t pid = fork();
  if (pid == 0) {
    for (;;) pause();
  }
  children_->watch(watch_, pid);
  kill(pid, SIGKILL);
  ASSERT_TRUE(loop_->run());
  EXPECT_EQ(log_, "drain exit " + describe({pid, CLD_KILLED, SIGKILL, 0}));
}

TEST_F(ChildExits, ExitsNobodyWatchesForAreReapedAndTold) {
  const pid_t pid = fork_exit(0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  children_->reap();
  EXPECT_EQ(log_, "drain unknown " + describe({pid, CLD_EXITED, 0, 0}));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
}

TEST_F(ChildExits, AnExitTheKeeperSawTakesTheSameRoad) {
  children_->watch(watch_, 999'999'999);
  children_->deliver({999'999'999, CLD_EXITED, 4, 0});
  EXPECT_EQ(log_, "drain exit 999999999:1:4 ");
}

TEST(ProcessTable, HoldsManyAndForgetsThoseThatEnd) {
  ProcessTable table;
  int calls = 0;
  auto count = [&](const ChildExit&) { ++calls; };
  {
    std::vector<std::unique_ptr<ChildWatch>> watches;
    for (pid_t pid = 1; pid <= 1000; ++pid) {
      watches.push_back(
          std::make_unique<ChildWatch>(Callback<void(const ChildExit&)>::from(count)));
      table.insert(*watches.back(), pid * 64);
    }
    EXPECT_EQ(table.size(), 1000U);
    EXPECT_EQ(table.find(64 * 500), watches[499].get());
    EXPECT_EQ(table.find(7), nullptr);
    EXPECT_TRUE(table.deliver({64 * 500, CLD_EXITED, 0, 0}));
    EXPECT_FALSE(table.deliver({64 * 500, CLD_EXITED, 0, 0}));
    table.insert(*watches[0], 5);  // moves
    EXPECT_EQ(table.find(64), nullptr);
  }
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace flotilla::init
