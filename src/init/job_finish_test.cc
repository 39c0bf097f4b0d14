#include "init/job_finish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "init/transaction_world.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using D = Dependency;

std::vector<std::string> words(const World& world, const JobFinish& finish) {
  std::vector<std::string> out;
  for (const FinishedJob& done : finish.finished) {
    out.push_back(world.graph.id(world.jobs.find(done.id)->unit) + "=" +
                  std::string(to_string(done.result)));
  }
  return out;
}

std::vector<std::string> words(const World& world, const std::vector<Consequence>& list) {
  std::vector<std::string> out;
  for (const Consequence& c : list) {
    out.push_back(world.graph.id(c.request.unit) + "/" + std::string(to_string(c.request.type)) +
                  "/" + std::string(to_string(c.request.mode)));
  }
  return out;
}

TEST(JobFinish, AFailedStartTakesTheChainBehindItAlong) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service", {{D::kRequires, "c.service"}, {D::kAfter, "c.service"}});
  world.unit("c.service");
  world.unit("w.service", {{D::kWants, "c.service"}, {D::kAfter, "c.service"}});
  world.request("w.service", JobType::kStart);
  world.request("a.service", JobType::kStart);
  const JobId c = world.jobs.of_unit(world.id("c.service"))->id;
  const JobFinish finish = finish_job(world.view(), c, JobResult::kFailed);
  EXPECT_THAT(words(world, finish),
              ElementsAre("c.service=failed", "b.service=dependency", "a.service=dependency"));
  EXPECT_THAT(finish.on_failure, ElementsAre(world.id("b.service"), world.id("a.service")));
  EXPECT_THAT(finish.look_again, ElementsAre(world.id("w.service")));
}

TEST(JobFinish, ACancelMayLeaveDependentsAlone) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}});
  world.unit("b.service");
  world.request("a.service", JobType::kStart);
  const JobId b = world.jobs.of_unit(world.id("b.service"))->id;
  EXPECT_THAT(words(world, finish_job(world.view(), b, JobResult::kCanceled, Recursion::kThisOnly)),
              ElementsAre("b.service=canceled"));
  EXPECT_THAT(words(world, finish_job(world.view(), b, JobResult::kCanceled)),
              ElementsAre("b.service=canceled", "a.service=dependency"));
}

TEST(JobFinish, ARestartGoesOnAsAStart) {
  World world;
  world.unit("a.service");
  world.set("a.service", ActiveState::kActive);
  const JobId id = world.request("a.service", JobType::kRestart);
  const JobFinish finish = finish_job(world.view(), id, JobResult::kDone);
  EXPECT_TRUE(finish.continues_as_start);
  EXPECT_THAT(finish.finished, IsEmpty());
  EXPECT_THAT(finish.look_again, ElementsAre(world.id("a.service")));
}

TEST(JobFinish, ARequisiteThatStartedButIsNotThereFailsItsDependents) {
  World world;
  world.unit("a.service", {{D::kRequisite, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service");
  world.request("b.service", JobType::kStart);
  world.request("a.service", JobType::kStart);
  const JobId b = world.jobs.of_unit(world.id("b.service"))->id;
  EXPECT_THAT(words(world, finish_job(world.view(), b, JobResult::kDone)),
              ElementsAre("b.service=done", "a.service=dependency"));
}

TEST(JobFinish, AConflictThatDoesNotStopFailsTheStartThatWaitsForIt) {
  World world;
  world.unit("a.service", {{D::kConflicts, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service");
  world.set("b.service", ActiveState::kActive);
  world.request("a.service", JobType::kStart);
  const JobId b = world.jobs.of_unit(world.id("b.service"))->id;
  EXPECT_THAT(words(world, finish_job(world.view(), b, JobResult::kFailed)),
              ElementsAre("b.service=failed", "a.service=dependency"));
}

TEST(JudgeJob, ComparesTheStateWithWhatWasAsked) {
  const auto verdict = [](JobType type, JobState state, ActiveState now) {
    const Job job{.id = 1, .unit = 0, .type = type, .state = state};
    return judge_job(&job, now, ReloadOutcome::kNone);
  };
  using A = ActiveState;
  constexpr auto kRuns = JobState::kRunning;
  EXPECT_EQ(verdict(JobType::kStart, kRuns, A::kActive).result, JobResult::kDone);
  EXPECT_EQ(verdict(JobType::kStart, kRuns, A::kActivating).result, std::nullopt);
  EXPECT_EQ(verdict(JobType::kStart, kRuns, A::kFailed).result, JobResult::kFailed);
  // A oneshot that is over, or a condition that said no.
  EXPECT_EQ(verdict(JobType::kStart, kRuns, A::kInactive).result, JobResult::kDone);
  EXPECT_TRUE(verdict(JobType::kStart, kRuns, A::kDeactivating).unexpected);
  EXPECT_EQ(verdict(JobType::kStart, JobState::kWaiting, A::kInactive).result, std::nullopt);
  EXPECT_TRUE(verdict(JobType::kStart, JobState::kWaiting, A::kInactive).look_again);
  EXPECT_EQ(verdict(JobType::kStop, kRuns, A::kFailed).result, JobResult::kDone);
  EXPECT_EQ(verdict(JobType::kStop, kRuns, A::kActive).result, JobResult::kFailed);
  EXPECT_EQ(verdict(JobType::kStop, kRuns, A::kDeactivating).result, std::nullopt);
  EXPECT_EQ(verdict(JobType::kReload, kRuns, A::kReloading).result, std::nullopt);
  EXPECT_EQ(verdict(JobType::kReload, kRuns, A::kActive).result, JobResult::kDone);
  const Job reload{.id = 1, .unit = 0, .type = JobType::kReload, .state = kRuns};
  EXPECT_EQ(judge_job(&reload, A::kActive, ReloadOutcome::kFailed).result, JobResult::kFailed);
  EXPECT_TRUE(judge_job(nullptr, A::kActive, ReloadOutcome::kNone).unexpected);
}

TEST(DecideJobStart, AsksTheUnitOnlyWhereThereIsSomethingToDo) {
  using A = ActiveState;
  EXPECT_EQ(decide_job_start(JobType::kStart, A::kActive), JobStart::kFinishDone);
  EXPECT_EQ(decide_job_start(JobType::kStart, A::kFailed), JobStart::kRun);
  EXPECT_EQ(decide_job_start(JobType::kStart, A::kDeactivating), JobStart::kRun);
  EXPECT_EQ(decide_job_start(JobType::kStop, A::kFailed), JobStart::kFinishDone);
  EXPECT_EQ(decide_job_start(JobType::kRestart, A::kActive), JobStart::kRun);
  EXPECT_EQ(decide_job_start(JobType::kReload, A::kInactive), JobStart::kFinishInvalid);
  EXPECT_EQ(decide_job_start(JobType::kReload, A::kReloading), JobStart::kLater);
  EXPECT_EQ(decide_job_start(JobType::kVerifyActive, A::kInactive), JobStart::kFinishSkipped);
  EXPECT_EQ(decide_job_start(JobType::kVerifyActive, A::kActivating), JobStart::kLater);
  EXPECT_EQ(decide_job_start(JobType::kNop, A::kInactive), JobStart::kFinishDone);
}

TEST(Consequences, WhatIsBoundGoesDownWithAUnitThatEndsByItself) {
  World world;
  world.unit("a.service", {{D::kBindsTo, "b.service"}});
  world.unit("r.service", {{D::kRequires, "b.service"}});
  world.unit("b.service", {{D::kPropagatesStopTo, "p.service"}});
  world.unit("p.service");
  for (const char* name : {"a.service", "r.service", "p.service"}) {
    world.set(name, ActiveState::kActive);
  }
  const StateChange change{world.id("b.service"), ActiveState::kActive, ActiveState::kInactive,
                           true, false};
  EXPECT_THAT(words(world, requests_of_change(world.view(), change)),
              ElementsAre("a.service/stop/replace", "p.service/stop/replace"));
}

TEST(Consequences, AUnitThatComesUpByItselfBringsWhatItNeeds) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"},
                           {D::kWants, "w.service"},
                           {D::kRequires, "late.service"},
                           {D::kAfter, "late.service"},
                           {D::kConflicts, "c.service"}});
  for (const char* name : {"b.service", "w.service", "late.service", "c.service"}) {
    world.unit(name);
  }
  world.set("c.service", ActiveState::kActive);
  const StateChange change{world.id("a.service"), ActiveState::kInactive, ActiveState::kActive,
                           true, false};
  EXPECT_THAT(
      words(world, requests_of_change(world.view(), change)),
      ElementsAre("b.service/start/replace", "w.service/start/fail", "c.service/stop/replace"));
}

TEST(Consequences, FailureAndSuccessTriggerOnceNoRestartFollows) {
  World world;
  world.unit("a.service", {{D::kOnFailure, "f.service"}, {D::kOnSuccess, "s.service"}});
  world.unit("f.service");
  world.unit("s.service");
  const auto after = [&](ActiveState before, ActiveState now, bool restarts) {
    return words(world, requests_of_change(world.view(),
                                           {world.id("a.service"), before, now, false, restarts}));
  };
  using A = ActiveState;
  EXPECT_THAT(after(A::kActive, A::kFailed, false), ElementsAre("f.service/start/replace"));
  EXPECT_THAT(after(A::kActive, A::kFailed, true), IsEmpty());
  EXPECT_THAT(after(A::kFailed, A::kFailed, false), IsEmpty());
  EXPECT_THAT(after(A::kDeactivating, A::kInactive, false), ElementsAre("s.service/start/fail"));
  EXPECT_THAT(after(A::kFailed, A::kInactive, false), IsEmpty());
}

TEST(Settle, AnUnneededUnitStopsWithItsLastUser) {
  World world;
  world.unit("a.service", {{D::kWants, "b.service"}});
  world.unit("c.service", {{D::kRequires, "b.service"}});
  world.unit("b.service");
  world.graph.facts(world.id("b.service")).stop_when_unneeded = true;
  const UnitId b = world.id("b.service");
  world.set("b.service", ActiveState::kActive);
  world.set("c.service", ActiveState::kActive);
  EXPECT_FALSE(settle_unit(world.view(), b, {}));
  world.set("c.service", ActiveState::kInactive);
  std::vector<bool> restarting(world.graph.limit(), false);
  restarting[world.id("a.service")] = true;
  EXPECT_FALSE(settle_unit(world.view(), b, restarting));
  const auto stop = settle_unit(world.view(), b, {});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->request.type, JobType::kStop);
  EXPECT_EQ(stop->request.mode, JobMode::kFail);
  EXPECT_EQ(text_of(world.graph, *stop), "Unit is not needed anymore.");
  const StateChange change{world.id("c.service"), ActiveState::kActive, ActiveState::kInactive,
                           false, false};
  EXPECT_THAT(units_to_settle(world.view(), change),
              UnorderedElementsAre(world.id("c.service"), b));
}

TEST(Settle, AnUpheldUnitIsStartedAgain) {
  World world;
  world.unit("a.service", {{D::kUpholds, "b.service"}});
  world.unit("b.service");
  const UnitId b = world.id("b.service");
  EXPECT_FALSE(settle_unit(world.view(), b, {}));
  world.set("a.service", ActiveState::kActive);
  const auto start = settle_unit(world.view(), b, {});
  ASSERT_TRUE(start);
  EXPECT_EQ(start->request.type, JobType::kStart);
  EXPECT_EQ(text_of(world.graph, *start),
            "Unit is started because upheld by active unit a.service.");
  world.request("b.service", JobType::kStart);
  EXPECT_FALSE(settle_unit(world.view(), b, {}));
}

TEST(Settle, ABoundUnitStopsWhenTheOtherIsGone) {
  World world;
  world.unit("a.service", {{D::kBindsTo, "b.service"}});
  world.unit("b.service");
  world.set("a.service", ActiveState::kActive);
  const auto stop = settle_unit(world.view(), world.id("a.service"), {});
  ASSERT_TRUE(stop);
  EXPECT_EQ(text_of(world.graph, *stop),
            "Unit is stopped because bound to inactive unit b.service.");
}

TEST(Settle, AMissingBindingForbidsTheStart) {
  World world;
  world.unit("a.service", {{D::kBindsTo, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("c.service", {{D::kBindsTo, "b.service"}});
  world.unit("b.service");
  EXPECT_EQ(find_missing_binding(world.view(), world.id("a.service")), world.id("b.service"));
  EXPECT_EQ(find_missing_binding(world.view(), world.id("c.service")), kNoUnit);
  world.set("b.service", ActiveState::kActive);
  EXPECT_EQ(find_missing_binding(world.view(), world.id("a.service")), kNoUnit);
}

}  // namespace
}  // namespace flotilla::init
