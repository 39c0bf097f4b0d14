// The part of AgentManager that notices when a oneshot has ended well, and tells the cluster, so
// that nobody runs it again.
#include <spdlog/spdlog.h>

#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

namespace {

constexpr base::Micros kRetry = std::chrono::seconds(1);

}  // namespace

// Its start job was done, or what shows that it was. Of other services that says nothing.
void AgentManager::note_end(const std::string& unit, Local& local) {
  local.has_ended_well = true;
  if (!hears_the_store() && !last_known_) return;
  const AssignedUnits& assigned = this->assigned();
  const auto wanted = assigned.units.find(unit);
  local.has_ended_well = wanted != assigned.units.end() && wanted->second.is_oneshot;
  if (local.has_ended_well) engine_.ensure_soon();
}

// It is to run anew when it is started again; not if it was stopped for want of a lease alone.
void AgentManager::forget_end(const std::string& unit, Local& local) {
  if (!hears_the_store() && !last_known_) return;
  const AssignedUnits& assigned = this->assigned();
  const auto wanted = assigned.units.find(unit);
  const bool is_wanted =
      wanted != assigned.units.end() && wanted->second.target == TargetState::kLaunched;
  if (!is_wanted) local.has_ended_well = false;
}

// Restart= has brought it to its end after the job that started it had failed.
bool AgentManager::has_ended_by_restart(const Local& local, const bus::UnitState& now) const {
  const bus::UnitState& before = local.shown.state;
  const bool has_ended = before.active_state == "activating" &&
                         before.sub_state != "auto-restart" && now.active_state == "inactive";
  if (!has_ended || local.has_ended_well || local.shown.reached != TargetState::kLaunched) {
    return false;
  }
  const UnitMark* mark = marks_.find(now.name);
  return mark != nullptr && mark->is_confirmed;
}

bool AgentManager::has_finished(const Local& local, const Assignment& assignment) {
  return assignment.is_oneshot && local.has_ended_well && local.shown.hash == assignment.hash;
}

void AgentManager::tell_ends(const AssignedUnits& assigned) {
  if (!session_.is_registered()) return;
  for (const auto& [unit, local] : locals_) {
    if (!local->has_ended_well) continue;
    const auto wanted = assigned.units.find(unit);
    if (wanted == assigned.units.end() || !has_finished(*local, wanted->second)) continue;
    const Assignment& assignment = wanted->second;
    const bool is_due = assignment.target == TargetState::kLaunched && !assignment.is_finished &&
                        assignment.entry_revision != 0 &&
                        local->told_end_of != assignment.entry_revision;
    if (is_due) tell_end(unit, *local, assignment.entry_revision);
  }
}

void AgentManager::tell_end(const std::string& unit, Local& local, store::Revision entry_revision) {
  local.told_end_of = entry_revision;
  registry::UnitHistory history;
  history.name = unit;
  history.hash = local.shown.hash;
  history.finished_usec = static_cast<uint64_t>(loop_.clock().wall().since_epoch.count());
  publisher_.tell_finished(
      std::move(history), entry_revision,
      guarded<void>([this, unit, entry_revision](const base::Status& status) {
        // What has been scheduled anew meanwhile is looked at anew.
        if (status || status.error().code == base::Errc::kConflict) return;
        SPDLOG_WARN("Failed to tell that Unit({}) has finished: {}; trying again", unit,
                    status.error().message);
        const auto found = locals_.find(unit);
        if (found == locals_.end() || found->second->told_end_of != entry_revision) return;
        found->second->told_end_of = 0;
        engine_.ensure_before(kRetry);
      }));
}

}  // namespace flotilla::agent
