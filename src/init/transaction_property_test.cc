// What holds for every transaction, tried on random graphs.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

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

std::string describe(const World& world, const Plan& plan, const JobRequest& request) {
  std::string text = "; " + world.graph.id(request.unit) + "/" +
                     std::string(to_string(request.type)) + "/" +
                     std::string(to_string(request.mode)) + ":";
  for (const Job& job : plan.jobs) {
    text += "\n  " + world.graph.id(job.unit) + "/" + std::string(to_string(job.type));
  }
  for (UnitId unit = 0; unit < world.graph.limit(); ++unit) {
    text += "\n  " + world.graph.id(unit) + " " + std::string(to_string(world.active[unit]));
    if (const Job* job = world.jobs.of_unit(unit)) {
      text += " with " + std::string(to_string(job->type));
    }
    for (const Dependency kind : kKinds) {
      for (const UnitId other : world.graph.dependencies(unit, kind)) {
        text += " " + std::string(to_string(kind)) + "=" + world.graph.id(other);
      }
    }
  }
  return text;
}

// Whether another job of the plan is a reason for this one: nothing is done without one.
bool has_reason(const World& world, const Plan& plan, const Job& job) {
  using D = Dependency;
  static const std::vector<D> kStarters = {D::kRequiredBy, D::kBoundBy, D::kWantedBy, D::kUpheldBy,
                                           D::kRequisiteOf};
  static const std::vector<D> kStoppers = {D::kRequires, D::kRequisite, D::kBindsTo, D::kPartOf,
                                           D::kStopPropagatedFrom};
  static const std::vector<D> kConflicting = {D::kConflicts, D::kConflictedBy};
  const auto is_caused = [&](const std::vector<D>& kinds, std::initializer_list<JobType> by) {
    for (const D kind : kinds) {
      for (const UnitId other : world.graph.dependencies(job.unit, kind)) {
        // What is done already leaves the plan at its end, what came with it stays.
        const bool is_up = world.active[other] == ActiveState::kActive;
        if (*by.begin() == (is_up ? JobType::kStart : JobType::kStop)) return true;
        for (const Job& cause : plan.jobs) {
          if (cause.unit == other && std::find(by.begin(), by.end(), cause.type) != by.end()) {
            return true;
          }
        }
      }
    }
    return false;
  };
  const bool is_started = is_caused(kStarters, {JobType::kStart, JobType::kRestart});
  switch (job.type) {
    case JobType::kStart:
    case JobType::kVerifyActive:
      return is_started;
    case JobType::kStop:
      return is_caused(kStoppers, {JobType::kStop}) ||
             is_caused(kConflicting, {JobType::kStart, JobType::kRestart});
    case JobType::kRestart:
      return is_caused(kStoppers, {JobType::kRestart});
    default:
      return false;
  }
}

void check_numbers(const World& world, const Plan& plan) {
  std::set<JobId> ids;
  for (const Job& job : plan.jobs) {
    ASSERT_TRUE(ids.insert(job.id).second) << "a number was given twice";
    ASSERT_GE(job.id, world.jobs.next_id());
    ASSERT_LT(job.id, plan.next_id);
  }
  ASSERT_EQ(plan.jobs[plan.anchor].id, world.jobs.next_id()) << "the request counts first";
}

void install(World& world, const Plan& plan) {
  for (const JobId id : plan.cancel) world.jobs.remove(id);
  for (const Job& job : plan.jobs) world.jobs.install(job, world.active[job.unit]);
}

TEST(TransactionProperty, HoldsOnRandomGraphsAndRequests) {
  std::mt19937 random(20240607);
  int planned = 0;
  constexpr JobType kTypes[] = {JobType::kStart, JobType::kStart, JobType::kStop,
                                JobType::kRestart};
  constexpr JobMode kModes[] = {JobMode::kReplace,
                                JobMode::kReplace,
                                JobMode::kFail,
                                JobMode::kReplaceIrreversibly,
                                JobMode::kFlush,
                                JobMode::kIsolate,
                                JobMode::kIgnoreRequirements,
                                JobMode::kIgnoreDependencies};
  for (int round = 0; round < 6000; ++round) {
    World world = random_world(random, 3 + static_cast<int>(random() % 20));
    for (int step = 0; step < 3; ++step) {
      JobRequest request{static_cast<UnitId>(random() % world.graph.limit()), kTypes[random() % 4],
                         kModes[random() % std::size(kModes)]};
      if (request.mode == JobMode::kIsolate) {
        request.type = JobType::kStart;
        world.graph.facts(request.unit).allow_isolate = true;
      }
      const auto plan = build_transaction(world.view(), request);
      if (!plan) {
        ASSERT_FALSE(plan.error().message.empty());
        ASSERT_FALSE(plan.error().bus_name.empty());
        continue;
      }
      ++planned;
      check_numbers(world, *plan);
      const bool is_alone = request.mode == JobMode::kIgnoreRequirements ||
                            request.mode == JobMode::kIgnoreDependencies;
      if (is_alone) {
        ASSERT_EQ(plan->jobs.size(), 1u);
      } else if (request.mode != JobMode::kIsolate) {
        check_plan(world, *plan, request);
        for (size_t i = 0; i < plan->jobs.size(); ++i) {
          ASSERT_TRUE(i == plan->anchor || has_reason(world, *plan, plan->jobs[i]))
              << world.graph.id(plan->jobs[i].unit) << "/" << to_string(plan->jobs[i].type)
              << " has no reason in round " << round << describe(world, *plan, request);
        }
      }
      for (const Job& job : plan->jobs) {
        const Job* old = world.jobs.of_unit(job.unit);
        if (old == nullptr || !is_conflicting(old->type, job.type)) continue;
        ASSERT_FALSE(old->irreversible) << "an irreversible job was replaced";
        ASSERT_NE(request.mode, JobMode::kFail) << "mode fail replaced a job";
      }
      if (HasFatalFailure()) FAIL() << "in round " << round << describe(world, *plan, request);
      install(world, *plan);
    }
  }
  EXPECT_GT(planned, 6000);
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
