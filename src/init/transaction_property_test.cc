// What holds for every transaction, tried on random graphs.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "init/transaction_world.h"

namespace flotilla::init {
namespace {

constexpr Dependency kKinds[] = {
    Dependency::kRequires,  Dependency::kWants,   Dependency::kBindsTo,         Dependency::kPartOf,
    Dependency::kRequisite, Dependency::kUpholds, Dependency::kConflicts,       Dependency::kBefore,
    Dependency::kAfter,     Dependency::kAfter,   Dependency::kPropagatesStopTo};

World random_world(std::mt19937& random, int units) {
  World world;
  const auto name = [](int i) { return "u" + std::to_string(i) + ".service"; };
  for (int i = 0; i < units; ++i) {
    std::vector<std::pair<Dependency, std::string>> dependencies;
    for (auto n = random() % 4; n > 0; --n) {
      dependencies.emplace_back(kKinds[random() % std::size(kKinds)],
                                name(static_cast<int>(random() % static_cast<unsigned>(units))));
    }
    world.unit(name(i), dependencies);
  }
  for (int i = 0; i < units; ++i) {
    world.set(name(i), random() % 2 == 0 ? ActiveState::kActive : ActiveState::kInactive);
  }
  return world;
}

// Units that any chain of requirement dependencies leads to, in either direction.
std::vector<bool> reachable(const World& world, UnitId from) {
  std::vector<bool> seen(world.graph.limit(), false);
  std::deque<UnitId> queue{from};
  seen[from] = true;
  while (!queue.empty()) {
    const UnitId unit = queue.front();
    queue.pop_front();
    for (size_t kind = 0; kind < static_cast<size_t>(Dependency::kCount); ++kind) {
      const auto d = static_cast<Dependency>(kind);
      if (d == Dependency::kBefore || d == Dependency::kAfter) continue;
      for (const UnitId other : world.graph.dependencies(unit, d)) {
        if (!seen[other]) queue.push_back(other);
        seen[other] = true;
      }
    }
  }
  return seen;
}

void check_plan(const World& world, const Plan& plan, const JobRequest& request) {
  std::vector<const Job*> job_of(world.graph.limit(), nullptr);
  std::vector<size_t> place(world.graph.limit(), 0);
  const auto near = reachable(world, request.unit);
  for (size_t i = 0; i < plan.jobs.size(); ++i) {
    const Job& job = plan.jobs[i];
    ASSERT_EQ(job_of[job.unit], nullptr) << "two jobs for " << world.graph.id(job.unit);
    ASSERT_TRUE(near[job.unit]) << world.graph.id(job.unit) << " has nothing to do with it";
    job_of[job.unit] = &job;
    place[job.unit] = i;
  }
  ASSERT_EQ(plan.jobs[plan.anchor].unit, request.unit);
  for (const Job& job : plan.jobs) {
    for (const Dependency kind : {Dependency::kBefore, Dependency::kAfter}) {
      for (const UnitId other : world.graph.dependencies(job.unit, kind)) {
        if (job_of[other] == nullptr) continue;
        const int order = compare_order(job, *job_of[other], kind);
        if (order < 0) {
          ASSERT_LT(place[job.unit], place[other]);
        }
        if (order > 0) {
          ASSERT_GT(place[job.unit], place[other]);
        }
      }
    }
    const bool starts = job.type == JobType::kStart || job.type == JobType::kRestart;
    if (!starts) continue;
    for (const Dependency kind : {Dependency::kRequires, Dependency::kBindsTo}) {
      for (const UnitId other : world.graph.dependencies(job.unit, kind)) {
        const bool is_up = world.active[other] == ActiveState::kActive;
        ASSERT_TRUE(is_up || job_of[other] != nullptr) << world.graph.id(other) << " is missing";
        if (job_of[other] != nullptr) {
          ASSERT_NE(job_of[other]->type, JobType::kStop);
        }
      }
    }
    for (const UnitId other : world.graph.dependencies(job.unit, Dependency::kConflicts)) {
      if (job_of[other] != nullptr) {
        ASSERT_EQ(job_of[other]->type, JobType::kStop);
      }
    }
  }
}

TEST(TransactionProperty, HoldsOnRandomGraphs) {
  std::mt19937 random(20240607);
  int planned = 0;
  constexpr JobType kTypes[] = {JobType::kStart, JobType::kStart, JobType::kStop,
                                JobType::kRestart};
  for (int round = 0; round < 4000; ++round) {
    const World world = random_world(random, 3 + static_cast<int>(random() % 20));
    const JobRequest request{static_cast<UnitId>(random() % world.graph.limit()),
                             kTypes[random() % 4],
                             random() % 5 == 0 ? JobMode::kFail : JobMode::kReplace};
    const auto plan = build_transaction(world.view(), request);
    if (!plan) {
      ASSERT_FALSE(plan.error().message.empty());
      ASSERT_FALSE(plan.error().bus_name.empty());
      continue;
    }
    ++planned;
    check_plan(world, *plan, request);
    if (HasFatalFailure()) FAIL() << "in round " << round;
  }
  EXPECT_GT(planned, 2000);
}

// Every installed job finds its turn, whatever the graph: nothing waits for ever.
TEST(TransactionProperty, EveryInstalledJobBecomesRunnable) {
  std::mt19937 random(42);
  for (int round = 0; round < 1000; ++round) {
    World world = random_world(random, 3 + static_cast<int>(random() % 20));
    for (int i = 0; i < 3; ++i) {
      const auto unit = static_cast<UnitId>(random() % world.graph.limit());
      const auto plan = build_transaction(
          world.view(), {unit, random() % 2 == 0 ? JobType::kStart : JobType::kStop, {}});
      if (!plan) continue;
      for (const Job& job : plan->jobs) world.jobs.install(job, world.active[job.unit]);
    }
    for (int turn = 0; world.jobs.size() > 0; ++turn) {
      ASSERT_LT(turn, 200) << "stuck in round " << round;
      for (const JobId id : world.jobs.ids()) {
        const Job* job = world.jobs.find(id);
        if (job == nullptr || !job_is_runnable(world.graph, world.jobs, *job)) continue;
        world.active[job->unit] =
            job->type == JobType::kStop ? ActiveState::kInactive : ActiveState::kActive;
        const JobFinish finish = finish_job(world.view(), id, JobResult::kDone);
        if (finish.continues_as_start) world.jobs.continue_as_start(id);
        for (const FinishedJob& done : finish.finished) world.jobs.remove(done.id);
      }
    }
  }
}

}  // namespace
}  // namespace flotilla::init
