// What AgentManager shows of the way that is still to go.
#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

namespace {

// Everybody who lists states reads it.
constexpr size_t kLongestProblem = 256;

std::string in_one_line(const std::string& text) {
  std::string line = text.substr(0, kLongestProblem);
  // Not in the middle of a character.
  while (line.size() < text.size() && !line.empty() &&
         (static_cast<unsigned char>(text[line.size()]) & 0xc0) == 0x80) {
    line.pop_back();
  }
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return line;
}

}  // namespace

void AgentManager::set_problem(const std::string& unit, const std::string& problem) {
  Local& local = *locals_.at(unit);
  std::string line = in_one_line(problem);
  if (local.problem == line) return;
  local.problem = std::move(line);
  // What could not be loaded, and can be now, tells its state when it has one.
  if (local.is_loaded || !local.problem.empty()) publish(unit);
}

// It has no text here: without a hash, and as one that was not started, the state counts for
// nothing but the problem.
void AgentManager::publish_failed_load(const std::string& unit) {
  registry::UnitState state;
  state.name = unit;
  state.load_state = "error";
  state.active_state = "inactive";
  state.sub_state = "dead";
  state.problem = locals_.at(unit)->problem;
  publisher_.publish(std::move(state));
}

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
