// What AgentManager shows of the way that is still to go.
#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

std::map<std::string, Difference> AgentManager::differences() {
  std::map<std::string, Difference> found;
  if (!hears_the_store() && !last_known_) return found;
  const AssignedUnits& wanted = assigned();
  for (const auto& [unit, assignment] : wanted.units) {
    const auto here = locals_.find(unit);
    Difference difference;
    difference.wanted = assignment.target;
    if (here != locals_.end()) {
      const Local& local = *here->second;
      difference.reached = local.shown.reached;
      difference.is_other_text = local.is_loaded && local.shown.hash != assignment.hash;
      difference.problem = local.problem;
    }
    if (difference.reached != difference.wanted || difference.is_other_text) {
      found.emplace(unit, std::move(difference));
    }
  }
  for (const auto& [unit, local] : locals_) {
    if (!local->is_loaded || wanted.units.contains(unit) || wanted.untouchable.contains(unit)) {
      continue;
    }
    found.emplace(unit,
                  Difference{TargetState::kInactive, local->shown.reached, false, local->problem});
  }
  return found;
}

}  // namespace flotilla::agent
