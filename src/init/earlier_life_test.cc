#include "init/earlier_life.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace flotilla::init {
namespace {

using base::Micros;

constexpr std::array<uint8_t, 16> kInvocation{0xab, 1, 2, 3};

base::MonotonicTime start_of(const ProcessStat& stat) {
  static const int64_t ticks = sysconf(_SC_CLK_TCK);
  return {Micros(static_cast<int64_t>(stat.start_ticks) * (1'000'000 / ticks))};
}

// A process that sleeps, with nothing in its environment but what it is given.
class Sleeper {
 public:
  explicit Sleeper(const char* assignment) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
      char* const argv[] = {const_cast<char*>("sleep"), const_cast<char*>("1000"), nullptr};
      char* const environment[] = {const_cast<char*>(assignment), nullptr};
      execve("/bin/sleep", argv, environment);
      _exit(127);
    }
    // The end of the pipe says that it has executed.
    close(ready[1]);
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 0);
    close(ready[0]);
    const auto stat = read_process_stat(pid);
    EXPECT_TRUE(stat);
    if (stat) started = start_of(*stat);
  }
  ~Sleeper() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  bool lives() const {
    const auto stat = read_process_stat(pid);
    return stat && !stat->is_dead();
  }

  pid_t pid = 0;
  base::MonotonicTime started;
};

std::unique_ptr<StateFile> state_of(const std::array<uint8_t, 16>& invocation, pid_t pid,
                                    base::MonotonicTime started) {
  auto state = std::move(StateFile::in_memory()).value();
  auto record = state->edit(*state->allocate("a.service"));
  record->invocation_id = invocation;
  record->main_process.pid = pid;
  record->main_run.pid = pid;
  record->main_run.start.monotonic_usec = started.since_epoch.count();
  return state;
}

TEST(EarlierLife, EndsWhatCarriesAnInvocationOfItAndNothingElse) {
  const Sleeper left("INVOCATION_ID=ab010203000000000000000000000000");
  const Sleeper other("INVOCATION_ID=ab010203000000000000000000000001");
  const auto state = state_of(kInvocation, 0, {});
  EXPECT_EQ(end_earlier_life(EarlierLife::of(*state), "", Micros(5'000'000)), 1U);
  EXPECT_FALSE(left.lives());
  EXPECT_TRUE(other.lives());
}

TEST(EarlierLife, KnowsAProcessByItsPidAndItsStart) {
  const Sleeper left("A=b");
  const auto state = state_of({}, left.pid, left.started);
  EXPECT_EQ(end_earlier_life(EarlierLife::of(*state), "", Micros(5'000'000)), 1U);
  EXPECT_FALSE(left.lives());
}

TEST(EarlierLife, LeavesALaterProcessWithTheSamePidAlone) {
  const Sleeper later("A=b");
  const auto state = state_of({}, later.pid, {later.started.since_epoch - Micros(1'000'000)});
  EXPECT_EQ(end_earlier_life(EarlierLife::of(*state), "", Micros(0)), 0U);
  EXPECT_TRUE(later.lives());
}

TEST(EarlierLife, NeverCountsThisProcessOrItsParent) {
  EarlierLife life;
  life.processes = {{getpid(), {}}, {getppid(), {}}};
  for (auto& [pid, started] : life.processes) {
    const auto stat = read_process_stat(pid);
    ASSERT_TRUE(stat);
    started = start_of(*stat);
  }
  EXPECT_TRUE(find_left_over(life, read_all_processes()).empty());
}

}  // namespace
}  // namespace flotilla::init
