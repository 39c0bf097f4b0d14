// For tests: a small machine of units without processes, in which requests are planned, installed
// and carried out by hand.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "init/job_finish.h"
#include "init/transaction.h"

namespace flotilla::init {

class World {
 public:
  UnitGraph graph;
  JobTable jobs;
  std::vector<ActiveState> active;

  static unit::UnitName name_of(const std::string& text) {
    return unit::UnitName::parse(text).value();
  }

  // A loaded unit with dependencies: unit("a.service", {{Dependency::kWants, "b.service"}}).
  UnitId unit(const std::string& name,
              const std::vector<std::pair<Dependency, std::string>>& dependencies = {}) {
    UnitSettings settings(name_of(name));
    settings.load_state = LoadState::kLoaded;
    for (const auto& [kind, other] : dependencies) {
      settings.dependencies[static_cast<size_t>(kind)].push_back(name_of(other));
    }
    const UnitId id = graph.replace(settings);
    active.resize(graph.limit(), ActiveState::kInactive);
    return id;
  }
  UnitId id(const std::string& name) { return graph.find(name); }
  void load_state(const std::string& name, LoadState state) {
    graph.facts(graph.intern(name_of(name))).load_state = state;
    active.resize(graph.limit(), ActiveState::kInactive);
  }
  void set(const std::string& name, ActiveState state) { active[id(name)] = state; }
  TransactionView view() const { return {graph, jobs, active}; }

  base::Result<Plan> plan(const std::string& name, JobType type,
                          JobMode mode = JobMode::kReplace) const {
    return build_transaction(view(), {graph.find(name), type, mode});
  }
  // "a.service/start b.service/stop", in the order of the plan; an error's text.
  std::string words(const base::Result<Plan>& plan) const {
    if (!plan) return plan.error().message;
    std::string text;
    for (const Job& job : plan->jobs) {
      if (!text.empty()) text += " ";
      text += graph.id(job.unit) + "/" + std::string(to_string(job.type));
    }
    return text;
  }
  std::string planned(const std::string& name, JobType type,
                      JobMode mode = JobMode::kReplace) const {
    return words(plan(name, type, mode));
  }
  // Puts a request's jobs in; the id of the anchor.
  JobId request(const std::string& name, JobType type, JobMode mode = JobMode::kReplace) {
    const auto made = plan(name, type, mode);
    EXPECT_TRUE(made) << words(made);
    for (const JobId canceled : made->cancel) jobs.remove(canceled);
    JobId anchor = 0;
    for (size_t i = 0; i < made->jobs.size(); ++i) {
      const auto installed = jobs.install(made->jobs[i], active[made->jobs[i].unit]);
      if (i == made->anchor) anchor = installed.id;
    }
    return anchor;
  }
};

}  // namespace flotilla::init
