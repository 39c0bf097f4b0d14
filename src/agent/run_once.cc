// The half of AgentManager that sees to it that units with OnPartition=stop never run on two
// machines: each start is allowed by the store, and when the lease may end before it is renewed
// they are stopped.
#include <signal.h>
#include <spdlog/spdlog.h>

#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

namespace {

constexpr store::LeaseId kBrokenClaim = -1;  // no store gives it

}  // namespace

void AgentManager::restore_mark(const std::string& unit, Local& local) {
  const UnitMark* mark = marks_.find(unit);
  local.shown.reached = mark != nullptr ? mark->reached : TargetState::kInactive;
  local.claimed_lease = mark != nullptr ? mark->claimed_lease : 0;
  local.has_ended_well = mark != nullptr && mark->has_ended_well;
}

// Another lease than the one it was started under: that one has ended, and somebody else may run
// it.
bool AgentManager::may_run(const Local& local) const {
  const store::LeaseId lease = session_.lease();
  return fence_.is_open() && local.claimed_lease != kBrokenClaim &&
         (lease == 0 || lease == local.claimed_lease);
}

std::string AgentManager::text_on_disk(const Assignment& assignment) const {
  return assignment.runs_once ? lease_unit_.bind(assignment.text) : assignment.text;
}

// With fleet-lease.service the service manager has stopped what is bound to it, while the daemon
// was away or came too late: such units have to be started anew, by a new claim.
void AgentManager::check_lease_unit(std::string_view active_state) {
  if (!lease_unit_.is_used() || (active_state != "inactive" && active_state != "failed")) return;
  for (auto& [unit, local] : locals_) {
    if (local->claimed_lease != 0) local->claimed_lease = kBrokenClaim;
  }
  engine_.ensure_soon();
}

TargetState AgentManager::target_of(const std::string& unit, const Assignment& assignment) const {
  if (assignment.target != TargetState::kLaunched) return assignment.target;
  const auto found = locals_.find(unit);
  const bool is_launched =
      found != locals_.end() && found->second->shown.reached == TargetState::kLaunched;
  const bool is_over = assignment.is_finished ||
                       (found != locals_.end() && has_finished(*found->second, assignment));
  if (is_over) return is_launched ? TargetState::kLaunched : TargetState::kLoaded;
  if (!assignment.runs_once) return assignment.target;
  const bool may_go_on =
      is_launched ? may_run(*found->second) : fence_.is_open() && session_.is_registered();
  return may_go_on ? TargetState::kLaunched : TargetState::kLoaded;
}

void AgentManager::stop_fenced() {
  bool is_needed = hears_the_store() && assigned().has_units_that_run_once;
  std::vector<Operation> stops;
  std::vector<std::string> late;
  for (auto& [unit, local] : locals_) {
    if (local->claimed_lease == 0) continue;
    is_needed = true;
    if (!has_identity_ || may_run(*local)) continue;
    const std::string& active = local->shown.state.active_state;
    const bool is_over = active == "inactive" || active == "failed";
    if (local->shown.reached == TargetState::kLaunched && !local->is_busy) {
      stops.push_back({Operation::Kind::kStop, unit, "the machine's lease may end"});
    } else if (!is_over && !local->is_killed && fence_.is_time_to_kill()) {
      late.push_back(unit);
    }
  }
  fence_.set_needed(is_needed);
  for (const std::string& unit : late) kill_fenced(unit);
  if (!stops.empty()) begin(stops);
}

void AgentManager::kill_fenced(const std::string& unit) {
  SPDLOG_WARN("Unit({}) still runs while the machine's lease is about to end; killing it", unit);
  locals_.at(unit)->is_killed = true;
  unit_manager_.kill(unit, bus::KillWho::kAll, SIGKILL, guarded<void>([](const base::Status&) {}));
}

void AgentManager::claim(const std::string& unit, const Operation& operation,
                         const Assignment& wanted) {
  registry::UnitState state;
  state.name = unit;
  state.hash = wanted.hash;
  state.load_state = "loaded";
  state.active_state = "activating";
  state.sub_state = "start";
  state.launched = true;
  const store::LeaseId lease = session_.lease();
  publisher_.claim(std::move(state), wanted.entry_revision,
                   guarded<void>([this, unit, operation, lease](const base::Status& status) {
                     Local& local = *locals_.at(unit);
                     const bool is_late = lease != session_.lease() || !fence_.is_open();
                     if (status && !is_late) {
                       local.claimed_lease = lease;
                       local.is_killed = false;
                       fence_.set_needed(true);
                       return start_now(unit, operation);
                     }
                     publish(unit);
                     finish(unit, operation,
                            status ? base::unavailable("the machine's lease may end") : status);
                   }));
}

}  // namespace flotilla::agent
