#include "init/best_effort_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "init/linux_spawner.h"

namespace flotilla::init {
namespace {

using testing::UnorderedElementsAre;

TEST(BestEffortTracker, KnowsOrphansOfAnotherSessionByTheirInvocation) {
  auto spawner = std::move(LinuxSpawner::create()).value();
  BestEffortTracker tracker;
  auto group = tracker.make_group("g.service", {});
  group->set_invocation("0123456789abcdef0123456789abcdef");
  const char* const argv[] = {"/bin/sleep", "1000", nullptr};
  const char* const environment[] = {"A=1", "INVOCATION_ID=0123456789abcdef0123456789abcdef",
                                     nullptr};
  ExecSpec spec;
  spec.path = "/bin/sleep";
  spec.argv = argv;
  spec.environment = environment;
  const SpawnResult result = spawner->spawn(spec);
  // The kernel lets the spawner go on a moment before the new environment can be read.
  while (!has_in_environment(result.pid, environment[1])) sched_yield();
  std::vector<pid_t> pids;
  group->pids(pids);
  EXPECT_THAT(pids, UnorderedElementsAre(result.pid));
  EXPECT_EQ(group->signal(SIGKILL, {}), 1U);
  kill(result.pid, SIGKILL);
  waitpid(result.pid, nullptr, 0);
  group->release();
}

// A process to which orphans come, as to the manager, and whose parent has no other child.
void in_a_reaper(const std::function<void()>& test) {
  const auto run = [&test] {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    test();
    std::_Exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

constexpr const char kInvocation[] = "INVOCATION_ID=0123456789abcdef0123456789abcdef";

// A service of one shell command; told of as soon as it is there.
class Service {
 public:
  explicit Service(const char* command, const char* variable = "A=1") : command_(command) {
    const char* const argv[] = {"/bin/sh", "-c", command_.c_str(), nullptr};
    const char* const environment[] = {"PATH=/usr/bin:/bin", variable, nullptr};
    ExecSpec spec;
    spec.path = "/bin/sh";
    spec.argv = argv;
    spec.environment = environment;
    pid_ = spawner_->begin(spec).pid;
    group_->add(pid_);
    spawner_->settle();
  }
  // Its end, as the manager hears of it: before it is waited for.
  void end() {
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    group_->forget(pid_);
  }
  void reap() {
    waitpid(pid_, nullptr, 0);
    tracker_.check_empty();
  }
  // The end of what is left.
  void end_orphans() {
    EXPECT_GE(group_->signal(SIGKILL, {}), 1U);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    tracker_.check_empty();
  }
  ProcessGroup& group() { return *group_; }
  int times_empty() const { return times_empty_; }

 private:
  void on_empty() { ++times_empty_; }

  std::string command_;
  std::unique_ptr<LinuxSpawner> spawner_ = std::move(LinuxSpawner::create()).value();
  BestEffortTracker tracker_;
  int times_empty_ = 0;
  std::unique_ptr<ProcessGroup> group_ =
      tracker_.make_group("a.service", Callback<void()>::to<&Service::on_empty>(*this));
  pid_t pid_ = -1;
};

TEST(BestEffortTrackerDeathTest, IsEmptyOnceItsOnlyProcessHasEnded) {
  in_a_reaper([] {
    const pid_t other = fork();  // a child that no unit has told of
    if (other == 0) {
      for (;;) pause();
    }
    Service service("exit 0");
    service.end();
    EXPECT_FALSE(service.group().is_populated());
    service.reap();
    EXPECT_EQ(service.times_empty(), 1);
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
  });
}

TEST(BestEffortTrackerDeathTest, IsEmptyBesideAChildThatNobodyHasWaitedForYet) {
  in_a_reaper([] {
    const pid_t other = fork();
    if (other == 0) _exit(0);
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(other), &info, WEXITED | WNOWAIT);
    Service service("exit 0");
    service.end();
    EXPECT_FALSE(service.group().is_populated());
    EXPECT_EQ(service.group().signal(SIGKILL, {}), 0U);
    service.reap();
    EXPECT_EQ(service.times_empty(), 1);
    waitpid(other, nullptr, 0);
  });
}

TEST(BestEffortTrackerDeathTest, KnowsAnOrphanByTheSessionItsServiceBegan) {
  in_a_reaper([] {
    Service service("sleep 1000 & exit 0");
    service.end();
    EXPECT_TRUE(service.group().is_populated());
    service.reap();
    EXPECT_EQ(service.times_empty(), 0);
    service.end_orphans();
    EXPECT_EQ(service.times_empty(), 1);
    EXPECT_FALSE(service.group().is_populated());
  });
}

TEST(BestEffortTrackerDeathTest, KnowsAnOrphanOfAnotherSessionByItsInvocation) {
  in_a_reaper([] {
    Service service("setsid -f sleep 1000; exit 0", kInvocation);
    service.group().set_invocation(std::string_view(kInvocation).substr(14));
    service.end();
    EXPECT_TRUE(service.group().is_populated());
    service.end_orphans();
    EXPECT_FALSE(service.group().is_populated());
  });
}

TEST(BestEffortTrackerDeathTest, KnowsWhatAnotherThreadOfAServiceBegan) {
  in_a_reaper([] {
    BestEffortTracker tracker;
    const auto group = tracker.make_group("a.service", {});
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t service = fork();
    if (service == 0) {
      std::thread([&] {
        if (fork() == 0) {
          setsid();
          if (write(ready[1], "", 1) != 1) _exit(1);
        }
        for (;;) pause();
      }).join();
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    group->add(service);
    std::vector<pid_t> pids;
    group->pids(pids);
    EXPECT_EQ(pids.size(), 2U);
    EXPECT_EQ(group->signal(SIGKILL, {}), 2U);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  });
}

TEST(BestEffortTrackerDeathTest, KnowsWhatIsBelowAnOrphanThatShedEverything) {
  in_a_reaper([] {
    BestEffortTracker tracker;
    const auto group = tracker.make_group("a.service", {});
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t service = fork();
    if (service == 0) {
      setsid();
      if (fork() != 0) {
        char byte = 0;
        _exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
      }
      if (fork() != 0) setsid();
      if (getsid(0) == getpid() && write(ready[1], "", 1) != 1) _exit(1);
      for (;;) pause();
    }
    group->add(service);
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(service), &info, WEXITED | WNOWAIT);
    group->forget(service);
    EXPECT_TRUE(group->is_populated());
    const std::vector<pid_t> orphans = read_children(getpid()).value_or(std::vector<pid_t>());
    EXPECT_EQ(group->signal(SIGKILL, {}), 1U);  // the one of its session; the other is nobody's
    for (const pid_t pid : orphans) kill(pid, SIGKILL);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    EXPECT_FALSE(group->is_populated());
  });
}

}  // namespace
}  // namespace flotilla::init
