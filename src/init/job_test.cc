#include "init/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "init/transaction_world.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using T = JobType;

TEST(Job, NamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(T::kTryReload); ++i) {
    EXPECT_EQ(parse_job_type(to_string(static_cast<T>(i))), static_cast<T>(i));
  }
  for (int i = 0; i <= static_cast<int>(JobMode::kTriggering); ++i) {
    EXPECT_EQ(parse_job_mode(to_string(static_cast<JobMode>(i))), static_cast<JobMode>(i));
  }
  EXPECT_FALSE(parse_job_mode("gently"));
  EXPECT_EQ(to_string(JobResult::kDependency), "dependency");
}

TEST(Job, TypesMergeAsTheTableSays) {
  constexpr T kTypes[] = {T::kStart, T::kVerifyActive, T::kStop, T::kReload, T::kRestart};
  constexpr std::optional<T> kNothing;
  const std::optional<T> table[5][5] = {
      {T::kStart, T::kStart, kNothing, T::kReloadOrStart, T::kRestart},
      {T::kStart, T::kVerifyActive, kNothing, T::kReload, T::kRestart},
      {kNothing, kNothing, T::kStop, kNothing, kNothing},
      {T::kReloadOrStart, T::kReload, kNothing, T::kReload, T::kRestart},
      {T::kRestart, T::kRestart, kNothing, T::kRestart, T::kRestart},
  };
  for (size_t a = 0; a < 5; ++a) {
    for (size_t b = 0; b < 5; ++b) {
      EXPECT_EQ(merge(kTypes[a], kTypes[b]), table[a][b]) << a << " " << b;
    }
  }
}

TEST(Job, CollapseDependsOnTheState) {
  EXPECT_EQ(collapse(T::kTryRestart, ActiveState::kFailed), T::kNop);
  EXPECT_EQ(collapse(T::kTryRestart, ActiveState::kActivating), T::kRestart);
  EXPECT_EQ(collapse(T::kReloadOrStart, ActiveState::kDeactivating), T::kStart);
  EXPECT_EQ(collapse(T::kReloadOrStart, ActiveState::kActive), T::kReload);
  // A start that is under way goes on.
  EXPECT_EQ(collapse(T::kReloadOrStart, ActiveState::kActivating), T::kStart);
  EXPECT_EQ(collapse(T::kTryReload, ActiveState::kInactive), T::kNop);
}

TEST(JobTable, IdsAscendAndAUnitHasOneJob) {
  JobTable jobs;
  EXPECT_EQ(jobs.install({.unit = 7, .type = T::kStart}, ActiveState::kInactive).id, 1U);
  const auto again = jobs.install({.unit = 7, .type = T::kVerifyActive}, ActiveState::kInactive);
  EXPECT_EQ(again.id, 1U);
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(jobs.install({.unit = 3, .type = T::kStop}, ActiveState::kActive).id, 2U);
  EXPECT_THAT(jobs.ids(), ElementsAre(1, 2));
  EXPECT_EQ(jobs.of_unit(7)->type, T::kStart);
  EXPECT_EQ(jobs.of_unit(4711), nullptr);
}

TEST(JobTable, AContradictingJobTakesThePlace) {
  JobTable jobs;
  jobs.install({.unit = 1, .type = T::kStart}, ActiveState::kInactive);
  const auto stop = jobs.install({.unit = 1, .type = T::kStop}, ActiveState::kInactive);
  ASSERT_TRUE(stop.replaced);
  EXPECT_EQ(stop.replaced->id, 1U);
  EXPECT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs.find(1), nullptr);
}

TEST(JobTable, ARunningJobRunsAgainOnlyForWhatItDoesNotDo) {
  JobTable jobs;
  const JobId id = jobs.install({.unit = 1, .type = T::kStart}, ActiveState::kInactive).id;
  jobs.set_state(id, JobState::kRunning);
  EXPECT_FALSE(jobs.install({.unit = 1, .type = T::kStart}, ActiveState::kActivating).runs_again);
  EXPECT_TRUE(jobs.install({.unit = 1, .type = T::kRestart}, ActiveState::kActivating).runs_again);
  EXPECT_EQ(jobs.find(id)->type, T::kRestart);
  EXPECT_EQ(jobs.find(id)->state, JobState::kWaiting);
}

TEST(JobTable, ARunningReloadDoesNotCoverALaterOne) {
  JobTable jobs;
  const JobId id = jobs.install({.unit = 1, .type = T::kReload}, ActiveState::kActive).id;
  jobs.set_state(id, JobState::kRunning);
  EXPECT_TRUE(jobs.install({.unit = 1, .type = T::kReload}, ActiveState::kReloading).runs_again);
}

TEST(JobTable, ANopStandsBesideAJob) {
  JobTable jobs;
  jobs.install({.unit = 1, .type = T::kStart}, ActiveState::kInactive);
  jobs.install({.unit = 1, .type = T::kNop}, ActiveState::kInactive);
  EXPECT_EQ(jobs.size(), 2U);
  EXPECT_EQ(jobs.of_unit(1)->type, T::kStart);
  EXPECT_EQ(jobs.nop_of_unit(1)->type, T::kNop);
}

TEST(JobTable, RestoredJobsKeepTheirIds) {
  JobTable jobs;
  jobs.restore({.id = 40, .unit = 2, .type = T::kStop, .state = JobState::kRunning});
  jobs.restore({.id = 12, .unit = 1, .type = T::kStart});
  EXPECT_THAT(jobs.ids(), ElementsAre(12, 40));
  EXPECT_EQ(jobs.install({.unit = 3, .type = T::kStart}, ActiveState::kInactive).id, 41U);
}

TEST(JobTable, RemovesInAnyOrder) {
  JobTable jobs;
  for (UnitId unit = 0; unit < 1000; ++unit) {
    jobs.install({.unit = unit, .type = T::kStart}, ActiveState::kInactive);
  }
  for (JobId id = 1; id <= 1000; id += 2) EXPECT_TRUE(jobs.remove(id));
  EXPECT_FALSE(jobs.remove(1));
  EXPECT_EQ(jobs.size(), 500U);
  for (JobId id = 2; id <= 1000; id += 2) EXPECT_EQ(jobs.find(id)->unit, id - 1);
}

TEST(Job, WaitsForThoseItIsOrderedBehind) {
  World world;
  world.unit("a.service", {{Dependency::kAfter, "b.service"}});
  world.unit("b.service");
  const auto job = [&](const char* unit) { return *world.jobs.of_unit(world.id(unit)); };
  world.request("a.service", T::kStart);
  EXPECT_TRUE(job_is_runnable(world.graph, world.jobs, job("a.service")));
  world.request("b.service", T::kStart);
  EXPECT_FALSE(job_is_runnable(world.graph, world.jobs, job("a.service")));
  EXPECT_TRUE(job_is_runnable(world.graph, world.jobs, job("b.service")));
}

TEST(Job, StopsRunInReverseAndBeforeStarts) {
  World world;
  world.unit("a.service", {{Dependency::kAfter, "b.service"}});
  world.unit("b.service");
  const Job start_a{.unit = 0, .type = T::kStart};
  const Job stop_a{.unit = 0, .type = T::kStop};
  const Job start_b{.unit = 1, .type = T::kStart};
  const Job stop_b{.unit = 1, .type = T::kStop};
  EXPECT_GT(compare_order(start_a, start_b, Dependency::kAfter), 0);
  EXPECT_LT(compare_order(stop_a, stop_b, Dependency::kAfter), 0);
  EXPECT_LT(compare_order(stop_a, start_b, Dependency::kAfter), 0);
  EXPECT_GT(compare_order(start_a, stop_b, Dependency::kAfter), 0);
}

}  // namespace
}  // namespace flotilla::init
