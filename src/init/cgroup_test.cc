#include "init/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "init/best_effort_tracker.h"
#include "init/linux_spawner.h"

namespace flotilla::init {
namespace {

using testing::Contains;
using testing::UnorderedElementsAre;

TEST(FindCgroup2, FindsPureHybridAndPartialTrees) {
  const auto pure = find_cgroup2(
      "22 1 0:20 / /proc rw - proc proc rw\n"
      "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
      "0::/init.scope\n");
  ASSERT_TRUE(pure);
  EXPECT_EQ(pure->mount_point, "/sys/fs/cgroup");
  EXPECT_EQ(pure->own_path, "/init.scope");
  const auto hybrid = find_cgroup2(
      "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n",
      "9:name=systemd:/\n0::/\n");
  ASSERT_TRUE(hybrid);
  EXPECT_EQ(hybrid->mount_point, "/sys/fs/cgroup/uni fied");
  EXPECT_EQ(hybrid->own_path, "/");
  const auto partial =
      find_cgroup2("30 22 0:26 /docker/x /cg rw - cgroup2 cgroup2 rw\n", "0::/docker/x/a\n");
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->own_path, "/a");
  EXPECT_FALSE(
      find_cgroup2("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "0::/\n"));
  EXPECT_FALSE(find_cgroup2("30 22 0:26 / /cg rw - cgroup2 cgroup2 rw\n", "1:cpu:/\n"));
  EXPECT_FALSE(find_cgroup2("", ""));
}

// Whatever way it takes here, it is the place that the table of mounts tells.
TEST(FindCgroup2, FindsThisProcess) {
  const auto read = [](const char* path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto wanted = find_cgroup2(read("/proc/self/mountinfo"), read("/proc/self/cgroup"));
  const auto found = find_own_cgroup2();
  ASSERT_EQ(static_cast<bool>(found), static_cast<bool>(wanted));
  if (!wanted) GTEST_SKIP() << wanted.error().message;
  EXPECT_EQ(found->mount_point, wanted->mount_point);
  EXPECT_EQ(found->own_path, wanted->own_path);
}

TEST(ProcessStat, ReadsOddNamesAndItself) {
  const auto odd = parse_process_stat(
      "42 (a) b (c) S 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 678 9 "
      "18446744073709551615");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->parent, 7);
  EXPECT_EQ(odd->session, 41);
  EXPECT_EQ(odd->state, 'S');
  EXPECT_EQ(odd->threads, 1);
  EXPECT_EQ(odd->start_ticks, 12345U);
  EXPECT_FALSE(parse_process_stat("42 (a"));
  EXPECT_FALSE(parse_process_stat(""));
  EXPECT_FALSE(parse_process_stat("42 (a) S 1 2"));
  const auto self = read_process_stat(getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->parent, getppid());
  EXPECT_GT(self->start_ticks, 0U);
  EXPECT_FALSE(read_process_stat(999'999'999));
}

TEST(ProcessStat, TakesForDeadWhatHasNoThreadLeft) {
  const auto is_dead = [](char state, int threads) {
    const auto stat = parse_process_stat(fmt::format(
        "42 (a) {} 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {} 0 12345", state, threads));
    return stat && stat->is_dead();
  };
  EXPECT_TRUE(is_dead('Z', 1));
  EXPECT_TRUE(is_dead('X', 0));
  EXPECT_FALSE(is_dead('S', 1));
  EXPECT_FALSE(is_dead('Z', 2));
}

TEST(ReadChildren, NamesThoseThatHaveNotBeenWaitedFor) {
  const auto before = read_children(getpid());
  if (!before) GTEST_SKIP() << "the kernel does not tell";
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_THAT(*read_children(getpid()), Contains(child));
  waitpid(child, nullptr, 0);
  EXPECT_THAT(*read_children(getpid()), testing::Not(Contains(child)));
  EXPECT_FALSE(read_children(999'999'999));
}

// One suite for both trackers, with real processes.
class TrackerTest : public testing::TestWithParam<TrackingKind> {
 protected:
  void SetUp() override {
    if (GetParam() == TrackingKind::kBestEffort) {
      tracker_ = std::make_unique<BestEffortTracker>();
      return;
    }
    std::string reason;
    tracker_ = make_process_tracker(*loop_, "flotilla-test-" + std::to_string(getpid()), reason);
    if (tracker_->kind() != TrackingKind::kCgroup) GTEST_SKIP() << reason;
  }
  void TearDown() override {
    for (const pid_t pid : pids_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    if (tracker_ == nullptr || tracker_->kind() != TrackingKind::kCgroup) return;
    // What was killed is gone when the kernel lets the cgroups go.
    const std::string path = static_cast<CgroupTracker&>(*tracker_).root_path();
    const std::string name = path.substr(path.rfind('/') + 1);
    for (bool removed = false; !removed; sched_yield()) {
      std::string reason;
      tracker_ = make_process_tracker(*loop_, name, reason);
      tracker_.reset();  // removes what is empty
      removed = access(("/sys/fs/cgroup/unified" + path).c_str(), F_OK) != 0 &&
                access(("/sys/fs/cgroup" + path).c_str(), F_OK) != 0;
    }
  }

  // A shell that has a child of its own and tells when both run.
  pid_t spawn(ProcessGroup& group) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const char* const argv[] = {"/bin/sh", "-c", "sleep 1000 & echo; wait; exit 0", nullptr};
    const char* const environment[] = {"PATH=/usr/bin:/bin", nullptr};
    ExecSpec spec;
    spec.path = "/bin/sh";
    spec.argv = argv;
    spec.environment = environment;
    spec.stdout_fd = ready[1];
    const base::Result<int> cgroup = group.prepare();
    EXPECT_TRUE(cgroup);
    spec.cgroup_fd = *cgroup;
    const SpawnResult result = spawner_->spawn(spec);
    EXPECT_TRUE(result.is_running()) << result.error;
    close(ready[1]);
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    group.add(result.pid);
    pids_.push_back(result.pid);
    return result.pid;
  }
  void reap(ProcessGroup& group, pid_t pid) {
    waitpid(pid, nullptr, 0);
    group.forget(pid);
    pids_.clear();
    tracker_->check_empty();
  }

  std::unique_ptr<Loop> loop_ = std::move(Loop::create()).value();
  std::unique_ptr<LinuxSpawner> spawner_ = std::move(LinuxSpawner::create()).value();
  std::unique_ptr<ProcessTracker> tracker_;
  std::vector<pid_t> pids_;
};

INSTANTIATE_TEST_SUITE_P(Both, TrackerTest,
                         testing::Values(TrackingKind::kCgroup, TrackingKind::kBestEffort),
                         [](const testing::TestParamInfo<TrackingKind>& kind) {
                           return kind.param == TrackingKind::kCgroup ? "Cgroup" : "BestEffort";
                         });

TEST_P(TrackerTest, KnowsAllProcessesOfAUnitAndOfNoOther) {
  auto a = tracker_->make_group("system.slice/a.service", {});
  auto b = tracker_->make_group("system.slice/b.service", {});
  EXPECT_FALSE(a->is_populated());
  const pid_t pid_a = spawn(*a);
  const pid_t pid_b = spawn(*b);
  std::vector<pid_t> pids;
  a->pids(pids);
  EXPECT_EQ(pids.size(), 2U);
  EXPECT_THAT(pids, Contains(pid_a));
  EXPECT_THAT(pids, testing::Not(Contains(pid_b)));
  EXPECT_TRUE(a->is_populated());
  EXPECT_EQ(a->signal(SIGKILL, {}), 2U);
  EXPECT_EQ(b->signal(SIGKILL, {}), 2U);
}

TEST_P(TrackerTest, ReportsAUnitThatBecameEmptyOnceItsOrphansAreGone) {
  int empty = 0;
  auto count = [&] {
    ++empty;
    loop_->exit(0);
  };
  auto group = tracker_->make_group("system.slice/c.service", Callback<void()>::from(count));
  const pid_t pid = spawn(*group);
  // The shell alone dies; its child lives on as an orphan of the unit.
  kill(pid, SIGKILL);
  reap(*group, pid);
  EXPECT_EQ(empty, 0);
  std::vector<pid_t> pids;
  group->pids(pids);
  ASSERT_EQ(pids.size(), 1U);
  const pid_t orphan = pids[0];
  const auto before = read_process_stat(orphan);
  EXPECT_TRUE(group->watch_until_empty());
  EXPECT_EQ(group->signal(SIGKILL, {}), 1U);
  // Wait for the fact: it is gone, or a zombie of whoever adopted it.
  for (auto now = before; now && !now->is_dead(); now = read_process_stat(orphan)) sched_yield();
  if (tracker_->kind() == TrackingKind::kCgroup) {
    ASSERT_TRUE(loop_->run());
  } else {
    tracker_->check_empty();
  }
  EXPECT_EQ(empty, 1);
  EXPECT_FALSE(group->watch_until_empty());
  EXPECT_TRUE(group->release());
  EXPECT_EQ(group->cgroup_path(), "");
}

TEST_P(TrackerTest, SparesTheProcessesItIsToldTo) {
  auto group = tracker_->make_group("d.service", {});
  const pid_t pid = spawn(*group);
  const pid_t spared[] = {pid};
  EXPECT_EQ(group->signal(SIGKILL, spared), 1U);  // the child; the shell sees it end, and ends
  reap(*group, pid);
  EXPECT_FALSE(group->is_populated());
}

TEST_P(TrackerTest, TakesForeignProcessesIn) {
  auto group = tracker_->make_group("e.service", {});
  const pid_t pid = fork();
  if (pid == 0) {
    for (;;) pause();
  }
  pids_.push_back(pid);
  ASSERT_TRUE(group->attach(pid));
  std::vector<pid_t> pids;
  group->pids(pids);
  EXPECT_THAT(pids, UnorderedElementsAre(pid));
  EXPECT_EQ(group->signal(SIGKILL, {}), 1U);
}

TEST_P(TrackerTest, FindsWhatAnEarlierManagerLeft) {
  if (GetParam() != TrackingKind::kCgroup) GTEST_SKIP() << "without cgroups nothing is left";
  auto group = tracker_->make_group("f.service", {});
  const pid_t pid = spawn(*group);
  group.reset();
  auto again = tracker_->make_group("f.service", {});
  EXPECT_TRUE(again->is_populated());
  std::vector<pid_t> pids;
  again->pids(pids);
  EXPECT_THAT(pids, Contains(pid));
  EXPECT_THAT(again->cgroup_path(), testing::EndsWith("/f.service"));
  EXPECT_EQ(again->signal(SIGKILL, {}), 2U);
}

TEST_P(TrackerTest, UsesACgroupThatWasMadeAheadAndRemovesOneThatIsNotWanted) {
  if (GetParam() != TrackingKind::kCgroup) GTEST_SKIP() << "there is nothing to make ahead";
  const auto is_there = [&](std::string_view path) { return !tracker_->cgroup_path(path).empty(); };
  tracker_->make_ahead("h.service");
  EXPECT_TRUE(is_there("h.service"));
  tracker_->make_ahead("i.service");
  EXPECT_FALSE(is_there("h.service"));
  auto group = tracker_->make_group("i.service", {});
  spawn(*group);
  tracker_->make_ahead({});
  EXPECT_TRUE(group->is_populated());
  // What has processes is not made anew, and so not removed either.
  tracker_->make_ahead("i.service");
  tracker_->make_ahead({});
  EXPECT_TRUE(is_there("i.service"));
  EXPECT_EQ(group->signal(SIGKILL, {}), 2U);
}

TEST(CgroupTracker, TellsThatTheKernelKilledForWantOfMemory) {
  // The controller need not be there: files of these names do.
  char directory[] = "/tmp/cgroup_test_XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string root = directory, group_path = root + "/a.service";
  ASSERT_EQ(mkdir(group_path.c_str(), 0755), 0);
  const auto write = [](const std::string& path, std::string_view text) {
    const base::Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  };
  write(root + "/cgroup.controllers", "cpu memory pids\n");
  write(group_path + "/memory.events", "low 0\noom 1\noom_kill 1\noom_group_kill 0\n");
  {
    auto loop = Loop::create();
    ASSERT_TRUE(loop);
    auto tracker = CgroupTracker::create(**loop, {root, "/"}, "");
    ASSERT_TRUE(tracker) << tracker.error().message;
    int told = 0, empty = 0;
    auto on_oom = [&] { ++told; };
    auto on_empty = [&] { ++empty; };
    const auto group = (*tracker)->make_group("a.service", Callback<void()>::from(on_empty));
    ASSERT_TRUE(group->prepare());
    group->watch_oom(Callback<void()>::from(on_oom));
    EXPECT_FALSE(group->was_oom_killed());  // what was before does not count
    write(group_path + "/memory.events", "low 9\noom 1\noom_kill 1\noom_group_kill 0\n");
    ASSERT_TRUE((*loop)->turn(base::Micros(1'000'000)));
    EXPECT_EQ(told, 0);
    write(group_path + "/memory.events", "low 9\noom 2\noom_kill 2\noom_group_kill 0\n");
    ASSERT_TRUE((*loop)->turn(base::Micros(1'000'000)));
    EXPECT_EQ(told, 1);
    EXPECT_FALSE(group->was_oom_killed());
    EXPECT_EQ(empty, 0);
  }
  unlink((group_path + "/memory.events").c_str());
  unlink((root + "/cgroup.controllers").c_str());
  rmdir(group_path.c_str());
  rmdir(root.c_str());
}

}  // namespace
}  // namespace flotilla::init
