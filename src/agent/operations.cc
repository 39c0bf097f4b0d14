// The operations of AgentManager: each carries one operation of a plan out over the service manager
// and ends by finish(), exactly once.
#include <spdlog/spdlog.h>

#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

namespace {

base::Status failed(base::Error error) { return base::unexpected(std::move(error)); }

}  // namespace

void AgentManager::load(const std::string& unit, const Operation& operation) {
  const AssignedUnits& assigned = this->assigned();
  const auto wanted = assigned.units.find(unit);
  if (wanted == assigned.units.end()) {
    // Not wanted any more; the next pass sees what is.
    locals_.at(unit)->chain.clear();
    return go_on(unit);
  }
  Local& local = *locals_.at(unit);
  if (base::Status status = files_.write(unit, text_on_disk(wanted->second)); !status) {
    return finish(unit, operation, status);
  }
  local.is_loaded = true;
  local.has_ended_well = false;
  local.shown.hash = wanted->second.hash;
  local.shown.state.name = unit;
  links_.add({unit, operation, wanted->second.install});
}

void AgentManager::start(const std::string& unit, const Operation& operation) {
  const AssignedUnits& assigned = this->assigned();
  const auto wanted = assigned.units.find(unit);
  if (wanted == assigned.units.end()) {
    // Not wanted any more; the next pass sees what is.
    locals_.at(unit)->chain.clear();
    return go_on(unit);
  }
  if (wanted->second.runs_once) return claim(unit, operation, wanted->second);
  locals_.at(unit)->claimed_lease = 0;
  start_now(unit, operation);
}

void AgentManager::start_now(const std::string& unit, const Operation& operation) {
  // Remembered before it is done: a daemon that is killed in between asks the manager what has
  // come of it, and never starts a unit twice.
  locals_.at(unit)->has_ended_well = false;
  set_reached(unit, TargetState::kLaunched, false);
  unit_manager_.start(
      unit, bus::JobMode::kReplace, guarded<bus::JobResult>([this, unit, operation](auto result) {
        const auto found = locals_.find(unit);
        const bool is_current =
            found != locals_.end() && found->second->shown.reached == TargetState::kLaunched;
        if (!result) return on_job_error(unit, operation, result.error());
        if (!is_current) return;
        if (*result == bus::JobResult::kDone) note_end(unit, *found->second);
        set_reached(unit, TargetState::kLaunched, true);
      }));
  finish(unit, operation, {});
}

void AgentManager::stop_unit(const std::string& unit, const Operation& operation) {
  forget_end(unit, *locals_.at(unit));
  set_reached(unit, TargetState::kLoaded, true);
  unit_manager_.stop(unit, bus::JobMode::kReplace,
                     guarded<bus::JobResult>([this, unit, operation](auto result) {
                       if (!result) on_job_error(unit, operation, result.error());
                     }));
  finish(unit, operation, {});
}

// A job that nobody waits for was refused, or lost with the connection.
void AgentManager::on_job_error(const std::string& unit, const Operation& operation,
                                const base::Error& why) {
  const auto found = locals_.find(unit);
  if (found == locals_.end() || found->second->is_busy) return;
  const TargetState reached = found->second->shown.reached;
  if (why.code == base::Errc::kUnavailable) {
    // A start is looked into when the manager is back (check_unconfirmed); a stop is done again,
    // which harms nobody.
    if (operation.kind == Operation::Kind::kStop && reached == TargetState::kLoaded) {
      set_reached(unit, TargetState::kLaunched, true);
    }
    return;
  }
  if (operation.kind == Operation::Kind::kStop && why.code == base::Errc::kNotFound) return;
  SPDLOG_ERROR("AgentReconciler task failed: type={} job={} reason=\"{}\" err={}",
               to_string(operation.kind), unit, operation.reason, why.message);
  set_problem(unit, why.message);
  // As fleet does, a refused start is not tried again: the unit's state shows what is wrong with
  // it.
  if (operation.kind == Operation::Kind::kStart && reached == TargetState::kLaunched) {
    set_reached(unit, TargetState::kLaunched, true);
  }
}

void AgentManager::unload(const std::string& unit, const Operation& operation) {
  // While it stops it is not launched any more, and still there.
  if (locals_.at(unit)->shown.reached == TargetState::kLaunched) {
    set_reached(unit, TargetState::kLoaded, true);
  }
  unit_manager_.stop(
      unit, bus::JobMode::kReplace, guarded<bus::JobResult>([this, unit, operation](auto result) {
        if (!result && result.error().code != base::Errc::kNotFound) {
          return finish(unit, operation, failed(result.error()));
        }
        if (result && *result == bus::JobResult::kCanceled) {
          return finish(unit, operation, base::conflict("stopping {} was canceled", unit));
        }
        removals_.add({unit, operation});
      }));
}

// However many units wait for it at a moment, one Reload does; those that come while it is under
// way wait for the next.
void AgentManager::reload_once(const std::string& unit, const Operation& operation) {
  reload_waiters_.push_back(finisher(unit, operation));
  if (reload_waiters_.size() > 1 || is_reloading_) return;
  loop_.post([this, alive = alive_] {
    if (*alive) start_reload();
  });
}

void AgentManager::start_reload() {
  auto waiters = std::make_shared<std::vector<bus::Done<void>>>(std::move(reload_waiters_));
  reload_waiters_.clear();
  is_reloading_ = true;
  unit_manager_.reload_daemon(guarded<void>([this, waiters](const base::Status& status) {
    is_reloading_ = false;
    if (!reload_waiters_.empty()) start_reload();
    for (const auto& waiter : *waiters) waiter(status);
  }));
}

}  // namespace flotilla::agent
