// Processes that are left on their way: begin() and settle() of LinuxSpawner.
#include <fcntl.h>

#include <cerrno>
#include <fstream>
#include <utility>
#include <vector>

#include "init/linux_spawner_fixture.h"

namespace flotilla::init {
namespace {

class BeginningSpawns : public Spawning {
 protected:
  ExecSpec silent_shell(const char* script) {
    ExecSpec spec = shell(script);
    spec.stdout_fd = -1;
    return spec;
  }

  // How it went: by its own word or, where begin() did not go on, by the first answer.
  SpawnResult outcome_of(SpawnResult begun) {
    const bool goes_on = begun.is_on_its_way;
    EXPECT_EQ(goes_on, GetParam() == LinuxSpawner::CloneCall::kClone3);
    auto settled = spawner_->settle();
    EXPECT_EQ(settled.has_value(), goes_on);
    if (!settled) return begun;
    EXPECT_EQ(settled->pid, begun.pid);
    return std::move(*settled);
  }
};

TEST_P(BeginningSpawns, TellOnceThatTheProgramRuns) {
  const ExecSpec spec = silent_shell("exit 7");
  SpawnResult begun = spawner_->begin(spec);
  const pid_t pid = begun.pid;
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(begun.is_running());
  EXPECT_TRUE(outcome_of(std::move(begun)).is_running());
  EXPECT_FALSE(spawner_->settle());
  EXPECT_EQ(WEXITSTATUS(wait(pid)), 7);
}

TEST_P(BeginningSpawns, TellOfAProgramThatIsMissing) {
  ExecSpec spec = silent_shell("true");
  spec.path = "/no/such/program";
  SpawnResult begun = spawner_->begin(spec);
  const pid_t pid = begun.pid;
  ASSERT_GT(pid, 0);
  const SpawnResult result = outcome_of(std::move(begun));
  EXPECT_EQ(result.stage, SpawnStage::kExec);
  EXPECT_EQ(result.error, ENOENT);
  EXPECT_EQ(WEXITSTATUS(wait(pid)), 203);
}

TEST_P(BeginningSpawns, TellOfAProcessThatEndedBeforeTheyWereAsked) {
  ExecSpec spec = silent_shell("true");
  spec.working_directory = "/no/such/directory";
  SpawnResult begun = spawner_->begin(spec);
  const pid_t pid = begun.pid;
  EXPECT_EQ(WEXITSTATUS(wait(pid)), 200);
  EXPECT_EQ(outcome_of(std::move(begun)).stage, SpawnStage::kChdir);
}

TEST_P(BeginningSpawns, AreToldOfInTheirOrder) {
  const ExecSpec good = silent_shell("exit 3");
  ExecSpec bad = good;
  bad.path = "/no/such/program";
  SpawnResult first = spawner_->begin(bad);
  SpawnResult second = spawner_->begin(good);
  const pid_t pids[] = {first.pid, second.pid};
  EXPECT_EQ(outcome_of(std::move(first)).error, ENOENT);
  EXPECT_TRUE(outcome_of(std::move(second)).is_running());
  EXPECT_FALSE(spawner_->settle());
  EXPECT_EQ(WEXITSTATUS(wait(pids[0])), 203);
  EXPECT_EQ(WEXITSTATUS(wait(pids[1])), 3);
}

TEST_P(BeginningSpawns, ShareNoStreams) {
  // Above the few descriptors that the child takes over as they are.
  base::Fd high(fcntl(write_end_.get(), F_DUPFD_CLOEXEC, 100));
  write_end_.reset();
  const ExecSpec silent = silent_shell("echo one line");
  ExecSpec loud = silent;
  loud.stdout_fd = high.get();
  std::vector<pid_t> pids;
  const ExecSpec* const specs[] = {&loud, &silent};
  for (const ExecSpec* spec : specs) pids.push_back(spawner_->begin(*spec).pid);
  while (spawner_->settle()) {
  }
  high.reset();
  EXPECT_EQ(output(), "one line\n");
  for (const pid_t pid : pids) EXPECT_EQ(WEXITSTATUS(wait(pid)), 0);
}

TEST_P(BeginningSpawns, WaitForTheFirstWhereTooManyAreOnTheirWay) {
  std::vector<pid_t> pids;
  const ExecSpec spec = silent_shell("exit 3");
  for (int i = 0; i < 50; ++i) {
    const SpawnResult begun = spawner_->begin(spec);
    ASSERT_GT(begun.pid, 0);
    pids.push_back(begun.pid);
  }
  // Only of the last few it can still be told.
  for (size_t i = pids.size() - Spawner::kMostOnTheirWay; i < pids.size(); ++i) {
    const auto settled = spawner_->settle();
    ASSERT_EQ(settled.has_value(), GetParam() == LinuxSpawner::CloneCall::kClone3);
    EXPECT_EQ(settled ? settled->pid : pids[i], pids[i]);
  }
  EXPECT_FALSE(spawner_->settle());
  const SpawnResult last = spawner_->spawn(spec);
  EXPECT_TRUE(last.is_running());
  EXPECT_FALSE(last.is_on_its_way);
  pids.push_back(last.pid);
  for (const pid_t pid : pids) EXPECT_EQ(WEXITSTATUS(wait(pid)), 3);
}

TEST_P(BeginningSpawns, KeepNoPipeOpenOnceTheyAreSettled) {
  // Above the few descriptors that the child takes over as they are.
  base::Fd high(fcntl(write_end_.get(), F_DUPFD_CLOEXEC, 100));
  write_end_.reset();
  ExecSpec spec = silent_shell("echo one line");
  spec.stdout_fd = high.get();
  const SpawnResult begun = spawner_->begin(spec);
  ASSERT_GT(begun.pid, 0);
  static_cast<void>(spawner_->settle());
  high.reset();
  EXPECT_EQ(output(), "one line\n");
  EXPECT_EQ(WEXITSTATUS(wait(begun.pid)), 0);
}

TEST_P(BeginningSpawns, WaitForTheProgramWhereTheyMust) {
  ExecSpec spec = silent_shell("exit 4");
  const int passed = write_end_.get();
  spec.passed_fds = &passed;
  spec.passed_fd_count = 1;
  const SpawnResult result = spawner_->begin(spec);
  EXPECT_TRUE(result.is_running());
  EXPECT_FALSE(result.is_on_its_way);
  EXPECT_FALSE(spawner_->settle());
  EXPECT_EQ(WEXITSTATUS(wait(result.pid)), 4);
}

TEST_P(BeginningSpawns, ChangeNothingOfTheirMaker) {
  const auto own_score = [] {
    int score = -1;
    std::ifstream("/proc/self/oom_score_adj") >> score;
    return score;
  };
  const int before = own_score();
  ExecSpec spec = silent_shell("test $(cat /proc/self/oom_score_adj) = 500");
  spec.oom_score_adjust = 500;
  const SpawnResult result = spawner_->begin(spec);
  ASSERT_GT(result.pid, 0);
  EXPECT_EQ(WEXITSTATUS(wait(result.pid)), 0);
  EXPECT_EQ(own_score(), before);
}

TEST_P(BeginningSpawns, AreWaitedForByTheEndOfTheSpawner) {
  const ExecSpec spec = silent_shell("exit 5");
  const SpawnResult begun = spawner_->begin(spec);
  ASSERT_GT(begun.pid, 0);
  spawner_.reset();
  EXPECT_EQ(WEXITSTATUS(wait(begun.pid)), 5);
}

INSTANTIATE_TEST_SUITE_P(EachCall, BeginningSpawns,
                         testing::Values(LinuxSpawner::CloneCall::kClone3,
                                         LinuxSpawner::CloneCall::kClone));

}  // namespace
}  // namespace flotilla::init
