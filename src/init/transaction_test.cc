#include "init/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "init/transaction_world.h"

namespace flotilla::init {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using D = Dependency;

TEST(Transaction, StartPullsInRequirements) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kWants, "c.service"}});
  world.unit("b.service", {{D::kBindsTo, "d.service"}});
  world.unit("c.service");
  world.unit("d.service");
  world.unit("unrelated.service");
  EXPECT_EQ(world.planned("a.service", JobType::kStart),
            "a.service/start b.service/start d.service/start c.service/start");
}

TEST(Transaction, OrderIsThatOfAfterAndNotOfRequires) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service", {{D::kRequires, "c.service"}, {D::kAfter, "c.service"}});
  world.unit("c.service");
  EXPECT_EQ(world.planned("a.service", JobType::kStart),
            "c.service/start b.service/start a.service/start");
}

TEST(Transaction, OrderAlonePullsInNothing) {
  World world;
  world.unit("a.service", {{D::kAfter, "b.service"}});
  world.unit("b.service");
  EXPECT_EQ(world.planned("a.service", JobType::kStart), "a.service/start");
}

TEST(Transaction, StopGoesBackwardsAndTakesThoseThatRequireIt) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("w.service", {{D::kWants, "b.service"}});
  world.unit("b.service");
  for (const char* name : {"a.service", "b.service", "w.service"}) {
    world.set(name, ActiveState::kActive);
  }
  EXPECT_EQ(world.planned("b.service", JobType::kStop), "a.service/stop b.service/stop");
}

TEST(Transaction, RestartReachesWhatRunsAndOnlyThat) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("p.service", {{D::kPartOf, "b.service"}});
  world.unit("b.service");
  world.set("a.service", ActiveState::kActive);
  world.set("b.service", ActiveState::kActive);
  EXPECT_EQ(world.planned("b.service", JobType::kRestart), "a.service/restart b.service/restart");
}

TEST(Transaction, WhatIsDoneAlreadyIsLeftOutButNotTheRequest) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}});
  world.unit("b.service");
  world.set("a.service", ActiveState::kActive);
  world.set("b.service", ActiveState::kActive);
  EXPECT_EQ(world.planned("a.service", JobType::kStart), "a.service/start");
}

TEST(Transaction, ConflictsStopTheOtherInBothDirections) {
  World world;
  world.unit("a.service", {{D::kConflicts, "b.service"}});
  world.unit("b.service");
  world.set("b.service", ActiveState::kActive);
  EXPECT_EQ(world.planned("a.service", JobType::kStart), "a.service/start b.service/stop");
  world.set("b.service", ActiveState::kInactive);
  world.set("a.service", ActiveState::kActive);
  EXPECT_EQ(world.planned("b.service", JobType::kStart), "b.service/start a.service/stop");
}

TEST(Transaction, ContradictingRequirementsAreRefused) {
  World world;
  world.unit("t.target", {{D::kRequires, "a.service"}, {D::kRequires, "b.service"}});
  world.unit("a.service", {{D::kConflicts, "b.service"}});
  world.unit("b.service");
  const auto plan = world.plan("t.target", JobType::kStart);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("Transaction contains conflicting jobs '"));
  EXPECT_THAT(plan.error().message,
              testing::EndsWith("Probably contradicting requirement dependencies configured."));
  EXPECT_EQ(plan.error().bus_name, "org.freedesktop.systemd1.TransactionJobsConflicting");
}

TEST(Transaction, AWantedUnitGivesWayToARequiredConflict) {
  World world;
  world.unit("t.target", {{D::kRequires, "a.service"}, {D::kWants, "b.service"}});
  world.unit("a.service", {{D::kConflicts, "b.service"}});
  world.unit("b.service");
  EXPECT_EQ(world.planned("t.target", JobType::kStart), "t.target/start a.service/start");
}

// --- Units that are not there ---

TEST(Transaction, AMissingRequirementFailsWithSystemdsWords) {
  const struct {
    LoadState state;
    const char* text;
    const char* name;
  } rows[] = {
      {LoadState::kNotFound, "Unit b.service not found.", "NoSuchUnit"},
      {LoadState::kMasked, "Unit b.service is masked.", "UnitMasked"},
      {LoadState::kBadSetting, "Unit b.service has a bad unit file setting.", "BadUnitSetting"},
  };
  for (const auto& row : rows) {
    World world;
    world.unit("a.service", {{D::kRequires, "b.service"}});
    world.load_state("b.service", row.state);
    const auto plan = world.plan("a.service", JobType::kStart);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().message, row.text);
    EXPECT_EQ(plan.error().bus_name, std::string("org.freedesktop.systemd1.") + row.name);
  }
}

TEST(Transaction, AMissingWantIsPassedOver) {
  World world;
  world.unit("a.service", {{D::kWants, "b.service"}, {D::kAfter, "b.service"}});
  world.load_state("b.service", LoadState::kNotFound);
  const auto plan = world.plan("a.service", JobType::kStart);
  EXPECT_EQ(world.words(plan), "a.service/start");
  EXPECT_THAT(plan->warnings, IsEmpty());
}

TEST(Transaction, ABadWantIsPassedOverWithAWord) {
  World world;
  world.unit("a.service", {{D::kWants, "b.service"}});
  world.load_state("b.service", LoadState::kBadSetting);
  const auto plan = world.plan("a.service", JobType::kStart);
  EXPECT_EQ(world.words(plan), "a.service/start");
  EXPECT_THAT(plan->warnings,
              ElementsAre("Cannot add dependency job, ignoring: Unit b.service has a bad unit file "
                          "setting."));
}

TEST(Transaction, ReloadOfWhatCannotReload) {
  World world;
  world.unit("a.service");
  const auto plan = world.plan("a.service", JobType::kReload);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message, "Job type reload is not applicable for unit a.service.");
  EXPECT_EQ(plan.error().bus_name, "org.freedesktop.systemd1.JobTypeNotApplicable");
}

TEST(Transaction, ReloadIsPropagatedToWhatIsActive) {
  World world;
  world.unit("a.service");
  world.unit("b.service", {{D::kReloadPropagatedFrom, "a.service"}});
  world.unit("c.service", {{D::kReloadPropagatedFrom, "a.service"}});
  for (const char* name : {"a.service", "b.service", "c.service"}) {
    world.graph.facts(world.id(name)).can_reload = true;
  }
  world.set("a.service", ActiveState::kActive);
  world.set("b.service", ActiveState::kActive);
  EXPECT_EQ(world.planned("a.service", JobType::kReload), "a.service/reload b.service/reload");
}

TEST(Transaction, RequisiteVerifiesInsteadOfStarting) {
  World world;
  world.unit("a.service", {{D::kRequisite, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service");
  EXPECT_EQ(world.planned("a.service", JobType::kStart), "b.service/verify-active a.service/start");
}

// --- Cycles ---

TEST(Transaction, ACycleOfWantedUnitsLosesOneOfThem) {
  World world;
  world.unit("t.target", {{D::kWants, "a.service"}, {D::kWants, "b.service"}});
  world.unit("a.service", {{D::kAfter, "b.service"}});
  world.unit("b.service", {{D::kAfter, "a.service"}});
  const auto plan = world.plan("t.target", JobType::kStart);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->jobs.size(), 2U);
  EXPECT_THAT(plan->warnings,
              ElementsAre("a.service: Found ordering cycle on b.service/start",
                          "a.service: Found dependency on a.service/start",
                          "a.service: Job b.service/start deleted to break ordering cycle starting "
                          "with a.service/start"));
}

TEST(Transaction, ACycleOfRequirementsIsRefused) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service", {{D::kRequires, "a.service"}, {D::kAfter, "a.service"}});
  std::vector<std::string> lines;
  const auto plan = build_transaction(
      world.view(), {world.id("a.service"), JobType::kStart, JobMode::kReplace}, &lines);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message, "Transaction order is cyclic. See system logs for details.");
  EXPECT_EQ(plan.error().bus_name, "org.freedesktop.systemd1.TransactionOrderIsCyclic");
  EXPECT_THAT(lines, Contains(HasSubstr("Unable to break cycle starting with a.service/start")));
}

TEST(Transaction, AUnitAfterItselfIsNoCycle) {
  World world;
  world.unit("a.service", {{D::kRequires, "a.service"}, {D::kAfter, "a.service"}});
  EXPECT_EQ(world.planned("a.service", JobType::kStart), "a.service/start");
}

TEST(Transaction, ALongChainNeedsNoDeepStack) {
  World world;
  for (int i = 0; i < 10'000; ++i) {
    const std::string next = "u" + std::to_string(i + 1) + ".service";
    world.unit("u" + std::to_string(i) + ".service", {{D::kRequires, next}, {D::kAfter, next}});
  }
  world.unit("u10000.service");
  const auto plan = world.plan("u0.service", JobType::kStart);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->jobs.size(), 10'001U);
  EXPECT_EQ(plan->anchor, 10'000U);
}

// --- Modes ---

TEST(Transaction, IgnoreDependenciesStartsThisUnitAlone) {
  World world;
  world.unit("a.service", {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}});
  world.unit("b.service");
  const auto plan = world.plan("a.service", JobType::kStart, JobMode::kIgnoreDependencies);
  EXPECT_EQ(world.words(plan), "a.service/start");
  EXPECT_TRUE(plan->jobs[0].ignore_order);
  const auto with_order = world.plan("a.service", JobType::kStart, JobMode::kIgnoreRequirements);
  EXPECT_EQ(world.words(with_order), "a.service/start");
  EXPECT_FALSE(with_order->jobs[0].ignore_order);
}

TEST(Transaction, AnIrreversibleJobIsNotReplaced) {
  World world;
  world.unit("a.service");
  world.request("a.service", JobType::kStart, JobMode::kReplaceIrreversibly);
  const auto plan = world.plan("a.service", JobType::kStop);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "Transaction for a.service/stop is destructive (a.service has 'start' job queued, but "
            "'stop' is included in transaction).");
  EXPECT_EQ(plan.error().bus_name, "org.freedesktop.systemd1.TransactionIsDestructive");
}

TEST(Transaction, ModeFailReplacesNoJobAndStopsNobodyInPassing) {
  World world;
  world.unit("a.service", {{D::kWants, "b.service"}});
  world.unit("b.service", {{D::kConflicts, "c.service"}});
  world.unit("c.service");
  world.set("c.service", ActiveState::kActive);
  EXPECT_EQ(world.planned("a.service", JobType::kStart, JobMode::kFail), "a.service/start");
  world.request("a.service", JobType::kStart);
  EXPECT_THAT(world.planned("a.service", JobType::kStop, JobMode::kFail), HasSubstr("destructive"));
}

TEST(Transaction, AStopReplacesAStartThatStillWaits) {
  World world;
  world.unit("a.service");
  const JobId start = world.request("a.service", JobType::kStart);
  // The unit is inactive, yet the stop stays: it ends the start.
  EXPECT_EQ(world.planned("a.service", JobType::kStop), "a.service/stop");
  const auto stop =
      world.jobs.install(world.plan("a.service", JobType::kStop)->jobs[0], ActiveState::kInactive);
  ASSERT_TRUE(stop.replaced);
  EXPECT_EQ(stop.replaced->id, start);
}

TEST(Transaction, IsolateStopsTheRest) {
  World world;
  world.unit("t.target", {{D::kWants, "b.service"}});
  world.unit("a.service");
  world.unit("b.service");
  world.unit("c.service");
  world.unit("dead.service");
  world.unit("triggered.service", {{D::kTriggeredBy, "kept.socket"}});
  world.unit("kept.socket");
  world.graph.facts(world.id("c.service")).ignore_on_isolate = true;
  world.graph.facts(world.id("kept.socket")).ignore_on_isolate = true;
  for (const char* name : {"a.service", "c.service", "triggered.service", "kept.socket"}) {
    world.set(name, ActiveState::kActive);
  }
  EXPECT_EQ(world.planned("t.target", JobType::kStart, JobMode::kIsolate),
            "Operation refused, unit may not be isolated.");
  world.graph.facts(world.id("t.target")).allow_isolate = true;
  EXPECT_EQ(world.planned("t.target", JobType::kStart, JobMode::kIsolate),
            "t.target/start b.service/start a.service/stop");
  EXPECT_EQ(world.planned("t.target", JobType::kStop, JobMode::kIsolate),
            "Isolate is only valid for start.");
}

TEST(Transaction, FlushCancelsTheOtherJobs) {
  World world;
  world.unit("a.service");
  world.unit("b.service");
  const JobId old = world.request("b.service", JobType::kStart);
  const auto plan = world.plan("a.service", JobType::kStart, JobMode::kFlush);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->cancel, ElementsAre(old));
}

TEST(Transaction, TryRestartOfADeadUnitDoesNothing) {
  World world;
  world.unit("a.service");
  EXPECT_EQ(world.planned("a.service", JobType::kTryRestart), "a.service/nop");
}

TEST(Transaction, ManualRequestsCanBeRefused) {
  World world;
  world.unit("b.service");
  world.graph.facts(world.id("b.service")).refuse_manual_start = true;
  const auto refused = check_manual_request(world.view(), world.id("b.service"), JobType::kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "Operation refused, unit b.service may be requested by dependency only (it is "
            "configured to refuse manual start/stop).");
  EXPECT_TRUE(check_manual_request(world.view(), world.id("b.service"), JobType::kStop));
}

}  // namespace
}  // namespace flotilla::init
