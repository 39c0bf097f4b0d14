// The part of AgentManager that keeps what is scheduled here, and starts it where the machine boots
// while the store is away.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

void AgentManager::use_last_known() {
  if (last_known_ || hears_the_store() || !last_schedule_) return;
  last_known_ = last_schedule_->load();
  if (!last_known_) return;
  SPDLOG_WARN("The registry cannot be reached: running what was last known, {} units",
              last_known_->units.size());
  engine_.ensure_soon();
}

const AssignedUnits& AgentManager::assigned() {
  return hears_the_store() ? assignments_.current() : *last_known_;
}

void AgentManager::keep_or_forget_last_known() {
  if (!hears_the_store()) return;
  last_known_.reset();
  if (!last_schedule_ || kept_version_ == assignments_.version()) return;
  kept_version_ = assignments_.version();
  last_schedule_->save_soon([this]() -> const AssignedUnits& { return assignments_.current(); });
}

// What was last known may be older than what was done here: only what is not here is added.
std::vector<Operation> AgentManager::only_bringing_up(std::vector<Operation> operations) const {
  std::set<std::string> left_alone;
  for (const Operation& operation : operations) {
    const bool brings_up =
        operation.kind == Operation::Kind::kLoad || operation.kind == Operation::Kind::kStart;
    if (!brings_up) left_alone.insert(operation.unit);
  }
  // A reload names no unit.
  std::erase_if(operations, [&](const Operation& o) { return left_alone.contains(o.unit); });
  return operations;
}

}  // namespace flotilla::agent
