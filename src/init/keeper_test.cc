#include "init/keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "init/keeper_link.h"

namespace flotilla::init {
namespace {

using testing::HasSubstr;

void say(int fd, const std::string& text) { (void)!write(fd, text.data(), text.size()); }

// The test program as the program on disk: a manager that reports and ends.
const bool ran_as_manager = [] {
  const int fd = take_inherited_link();
  if (fd < 0) return false;
  KeeperLink link((base::Fd(fd)));
  auto inheritance = link.receive_inheritance();
  if (getenv("KEEPER_TEST_DIES") != nullptr && inheritance->start_number == 0) {
    kill(getpid(), SIGKILL);
  }
  say(STDOUT_FILENO, "from disk " + std::to_string(inheritance->start_number) + " " +
                         std::to_string(inheritance->fds.size()) + "\n");
  (void)link.request_shutdown(5);
  _exit(0);
}();

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

// A keeper in a process of its own, around a manager that is a function.
class KeeperTest : public testing::Test {
 protected:
  using Manager = std::function<void(KeeperLink&, KeeperLink::Inheritance&)>;

  KeeperTest() {
    EXPECT_EQ(pipe2(report_, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(hold_, O_CLOEXEC), 0);
  }
  ~KeeperTest() override {
    if (keeper_ > 0) {
      kill(keeper_, SIGKILL);
      waitpid(keeper_, nullptr, 0);
    }
    close_hold();
    if (report_[0] >= 0) close(report_[0]);
    if (report_[1] >= 0) close(report_[1]);
  }

  void start(const Manager& manager, KeeperOptions options = {}) {
    keeper_ = fork();
    ASSERT_GE(keeper_, 0);
    if (keeper_ != 0) {
      close(report_[1]);
      report_[1] = -1;
      return;
    }
    close(hold_[1]);  // the test alone holds it
    dup2(report_[1], STDERR_FILENO);
    dup2(report_[1], STDOUT_FILENO);
    const KeeperOutcome outcome = run_keeper(options);
    if (!outcome.is_manager) _exit(outcome.exit_code);
    KeeperLink link((base::Fd(outcome.link_fd)));
    auto inheritance = link.receive_inheritance();
    if (!inheritance) {
      report("no inheritance: " + inheritance.error().message);
      _exit(1);
    }
    manager(link, *inheritance);
    _exit(0);
  }

  // The manager's and keeper's side.
  void report(const std::string& text) const { say(report_[1], text + "\n"); }
  // A child that ends with `code` when the test lets go of it.
  pid_t fork_waiting(int code) const {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    char byte = 0;
    (void)!read(hold_[0], &byte, 1);
    _exit(code);
  }

  // The test's side.
  void close_hold() {
    for (int& end : hold_) {
      if (end >= 0) close(end);
      end = -1;
    }
  }
  // The next line of a report; empty at the end.
  std::string line() {
    std::string text;
    char c = 0;
    while (read(report_[0], &c, 1) == 1 && c != '\n') text.push_back(c);
    return text;
  }
  // Lines that are not of the keeper itself.
  std::string managers_line() {
    for (;;) {
      std::string text = line();
      if (text.find("keeper:") == std::string::npos) return text;
    }
  }
  int exit_code() {
    int status = -1;
    EXPECT_EQ(waitpid(keeper_, &status, 0), keeper_);
    keeper_ = -1;
    EXPECT_TRUE(WIFEXITED(status)) << status;
    return WEXITSTATUS(status);
  }

  pid_t keeper_ = -1;
  int report_[2] = {-1, -1};
  int hold_[2] = {-1, -1};
};

TEST_F(KeeperTest, StartsAKilledManagerAgainAndEndsWithTheCodeItIsGiven) {
  start([this](KeeperLink& link, KeeperLink::Inheritance& inherited) {
    if (inherited.start_number == 0) die();
    report(inherited.previous_crashed ? "crashed" : "calm");
    (void)link.request_shutdown(7);
  });
  EXPECT_THAT(line(), HasSubstr("was killed by signal 9; it is started again"));
  EXPECT_EQ(line(), "crashed");
  EXPECT_EQ(exit_code(), 7);
}

// The kernel puts an ECONNRESET in front of the last words of one that left our messages unread.
TEST_F(KeeperTest, HearsTheLastWordsOfAManagerThatNeverListened) {
  for (int round = 0; round < 20; ++round) {
    keeper_ = fork();
    ASSERT_GE(keeper_, 0);
    if (keeper_ == 0) {
      dup2(report_[1], STDERR_FILENO);
      const KeeperOutcome outcome = run_keeper({});
      if (!outcome.is_manager) _exit(outcome.exit_code);
      // Whoever comes second was started for nothing.
      pollfd hello{outcome.link_fd, POLLIN, 0};
      poll(&hello, 1, -1);
      KeeperLink link((base::Fd(outcome.link_fd)));
      (void)link.request_shutdown(3);
      _exit(0);
    }
    EXPECT_EQ(exit_code(), 3);
  }
  say(report_[1], "end\n");
  EXPECT_EQ(line(), "end") << "a manager was started again";
}

TEST_F(KeeperTest, HandsDescriptorsFromManagerToManager) {
  constexpr int kCount = 600;
  start([this](KeeperLink& link, KeeperLink::Inheritance& inherited) {
    std::vector<KeptFd> fds;
    std::vector<std::string> names;
    switch (inherited.start_number) {
      case 0: {
        const std::string longest(kMaxKeptName, 'n');
        for (int i = 0; i < kCount; ++i) names.push_back("fd" + std::to_string(i / 2));
        for (const std::string& name : names) fds.push_back({name, report_[1]});
        if (!link.store(fds)) report("no store");
        const base::Fd memfd(memfd_create("kept", MFD_CLOEXEC));
        const KeptFd one{longest, memfd.get()};
        if (!link.store({&one, 1})) report("no store");
        const KeptFd bad{"a name of more than sixty-three bytes, which is one byte too much!!!", 1};
        if (link.store({&bad, 1})) report("stored");
        die();
      }
      case 1: {
        bool good = inherited.fds.size() == kCount + 1;
        for (size_t i = 0; good && i < kCount; ++i) {
          good = inherited.fds[i].name == "fd" + std::to_string(i / 2) &&
                 (fcntl(inherited.fds[i].fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
        }
        report(good && inherited.fds.back().name.size() == kMaxKeptName ? "all" : "not all");
        (void)link.remove("fd7");
        (void)link.remove("no such");
        die();
      }
      case 2:
        report(std::to_string(inherited.fds.size()) + " " + inherited.fds[14].name);
        (void)link.remove_all();
        die();
      default:
        report(std::to_string(inherited.fds.size()));
        (void)link.request_shutdown(0);
    }
  });
  EXPECT_EQ(managers_line(), "all");
  EXPECT_EQ(managers_line(), "599 fd8");
  EXPECT_EQ(managers_line(), "0");
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(KeeperTest, NoExitIsLostAndNoneIsForgottenBeforeItIsAcknowledged) {
  constexpr int kCount = 400;
  start([this](KeeperLink& link, KeeperLink::Inheritance& inherited) {
    switch (inherited.start_number) {
      case 0:
        for (int i = 0; i < kCount; ++i) (void)fork_waiting(i % 200);
        report("forked");
        die();
      case 1: {
        // They fall to the keeper now; wait for all, and die before acknowledging.
        report("adopted");
        struct Counter {
          std::set<uint64_t> sequences;
          std::map<int, int> codes;
          Loop& loop;
          void on_exit(const KeeperExit& one) {
            sequences.insert(one.sequence);
            ++codes[one.exit.status];
            if (sequences.size() == kCount) loop.exit(0);
          }
        };
        auto loop = std::move(Loop::create()).value();
        Counter counter{{}, {}, *loop};
        for (const KeeperExit& one : inherited.exits) counter.on_exit(one);
        (void)link.attach(*loop, Callback<void(const KeeperExit&)>::to<&Counter::on_exit>(counter),
                          {});
        if (counter.sequences.size() < kCount) (void)loop->run();
        report("heard " + std::to_string(counter.codes[0]) + " " +
               std::to_string(counter.codes[199]) + " " +
               std::to_string(*counter.sequences.rbegin()));
        die();
      }
      case 2:
        report("again " + std::to_string(inherited.exits.size()));
        link.acknowledge(inherited.exits[99].sequence);
        die();
      default:
        report("rest " + std::to_string(inherited.exits.size()) + " from " +
               std::to_string(inherited.exits[0].sequence));
        (void)link.request_shutdown(0);
    }
  });
  EXPECT_EQ(managers_line(), "forked");
  EXPECT_EQ(managers_line(), "adopted");
  close_hold();
  EXPECT_EQ(managers_line(), "heard 2 2 400");
  EXPECT_EQ(managers_line(), "again 400");
  EXPECT_EQ(managers_line(), "rest 300 from 101");
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(KeeperTest, MoreExitsThanTheQueueHoldsWaitAsZombies) {
  constexpr size_t kCount = 4096 + 100;
  start([this](KeeperLink& link, KeeperLink::Inheritance& inherited) {
    if (inherited.start_number == 0) {
      for (size_t i = 0; i < kCount; ++i) {
        const pid_t pid = vfork();  // thousands of copies of this program would take long
        if (pid == 0) _exit(0);
        siginfo_t info{};
        waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
      }
      die();
    }
    struct Counter {
      KeeperLink& link;
      Loop& loop;
      size_t count = 0;
      void on_exit(const KeeperExit& one) {
        link.acknowledge(one.sequence);
        if (++count == kCount) loop.exit(0);
      }
    };
    auto loop = std::move(Loop::create()).value();
    Counter counter{link, *loop};
    const size_t first = inherited.exits.size();
    (void)link.attach(*loop, Callback<void(const KeeperExit&)>::to<&Counter::on_exit>(counter), {});
    for (const KeeperExit& one : inherited.exits) counter.on_exit(one);
    (void)loop->run();
    report((first <= 4096 ? "heard " : "too many ") + std::to_string(counter.count));
    (void)link.request_shutdown(0);
  });
  EXPECT_EQ(managers_line(), "heard " + std::to_string(kCount));
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(KeeperTest, GivesUpAfterTooManyDeathsAndOnlyReaps) {
  KeeperOptions options;
  options.max_deaths = 3;
  start(
      [this](KeeperLink&, KeeperLink::Inheritance& inherited) {
        report("start " + std::to_string(inherited.start_number));
        _exit(4);
      },
      options);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(line(), "start " + std::to_string(i));
    EXPECT_THAT(line(), HasSubstr(i < 2 ? "exited with code 4; it is started again"
                                        : "that was too often, it is not started again"));
  }
  kill(keeper_, SIGTERM);
  EXPECT_EQ(exit_code(), 1);
}

TEST_F(KeeperTest, DeathsOutsideTheWindowDoNotCount) {
  KeeperOptions options;
  options.max_deaths = 3;
  options.window_usec = 0;  // no two deaths are in the same microsecond
  start(
      [](KeeperLink& link, KeeperLink::Inheritance& inherited) {
        if (inherited.start_number == 8) (void)link.request_shutdown(8);
      },
      options);
  EXPECT_EQ(exit_code(), 8);
}

TEST_F(KeeperTest, ForwardsSignals) {
  start([this](KeeperLink& link, KeeperLink::Inheritance&) {
    sigset_t all;
    sigfillset(&all);
    report("ready");
    for (int i = 0; i < 3; ++i) {
      const int signal = sigwaitinfo(&all, nullptr);
      report("signal " + std::to_string(signal >= SIGRTMIN ? signal - SIGRTMIN + 100 : signal));
    }
    (void)link.request_shutdown(0);
  });
  EXPECT_EQ(managers_line(), "ready");
  kill(keeper_, SIGHUP);
  EXPECT_EQ(managers_line(), "signal 1");
  kill(keeper_, SIGRTMIN + 3);
  EXPECT_EQ(managers_line(), "signal 103");
  kill(keeper_, SIGTERM);
  EXPECT_EQ(managers_line(), "signal 15");
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(KeeperTest, AReexecutionIsNoDeath) {
  KeeperOptions options;
  options.max_deaths = 1;
  start(
      [this](KeeperLink& link, KeeperLink::Inheritance& inherited) {
        if (inherited.start_number < 3) {
          (void)link.request_reexec();
          return;
        }
        report(inherited.previous_crashed ? "crashed" : "calm");
        (void)link.request_shutdown(0);
      },
      options);
  EXPECT_EQ(line(), "calm");
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(KeeperTest, AReexecutionRunsTheProgramOnDisk) {
  char name[] = "manager";
  char* const argv[] = {name, nullptr};
  KeeperOptions options;
  options.argv = argv;
  start(
      [this](KeeperLink& link, KeeperLink::Inheritance&) {
        const KeptFd kept{"kept", report_[1]};
        (void)link.store({&kept, 1});
        (void)link.request_reexec();
      },
      options);
  EXPECT_EQ(line(), "from disk 1 1");
  EXPECT_EQ(exit_code(), 5);
  EXPECT_FALSE(ran_as_manager);
}

TEST_F(KeeperTest, ExecutesTheManagersProgramAndDoesSoAgainAfterItsDeath) {
  char* const argv[] = {program_invocation_short_name, nullptr};
  KeeperOptions options;
  options.argv = argv;
  options.manager = program_invocation_short_name;
  setenv("KEEPER_TEST_DIES", "1", 1);
  start([this](KeeperLink&, KeeperLink::Inheritance&) { report("a fork"); }, options);
  unsetenv("KEEPER_TEST_DIES");
  EXPECT_THAT(line(), HasSubstr("was killed by signal 9; it is started again"));
  EXPECT_EQ(line(), "from disk 1 0");
  EXPECT_EQ(exit_code(), 5);
}

TEST_F(KeeperTest, EndsAtOnceWithoutTheManagersProgram) {
  char name[] = "keeper";
  char* const argv[] = {name, nullptr};
  KeeperOptions options;
  options.argv = argv;
  options.manager = "there-is-no-such-program";
  start([this](KeeperLink&, KeeperLink::Inheritance&) { report("a fork"); }, options);
  EXPECT_THAT(line(), HasSubstr("unable to open flotilla-manager"));
  EXPECT_EQ(exit_code(), 1);
}

TEST_F(KeeperTest, AManagerHearsOfTheDeathOfItsKeeper) {
  start([this](KeeperLink& link, KeeperLink::Inheritance&) {
    auto loop = std::move(Loop::create()).value();
    auto gone = [&] { loop->exit(0); };
    (void)link.attach(*loop, {}, Callback<void()>::from(gone));
    report("ready");
    (void)loop->run();
    report("gone");
  });
  EXPECT_EQ(line(), "ready");
  kill(keeper_, SIGKILL);
  EXPECT_EQ(line(), "gone");
}

TEST_F(KeeperTest, OrphansComeToTheManagerWhileItLives) {
  start([this](KeeperLink& link, KeeperLink::Inheritance&) {
    const pid_t parent = fork();
    if (parent == 0) {
      (void)fork_waiting(33);
      _exit(0);
    }
    int status = 0;
    waitpid(parent, &status, 0);
    report("orphaned");
    waitpid(-1, &status, 0);
    report(std::to_string(WEXITSTATUS(status)));
    (void)link.request_shutdown(0);
  });
  EXPECT_EQ(line(), "orphaned");
  close_hold();
  EXPECT_EQ(line(), "33");
  EXPECT_EQ(exit_code(), 0);
}

}  // namespace
}  // namespace flotilla::init
