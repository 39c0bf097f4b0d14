// Which units are kept in memory: those that do something, and those that such a one refers to.
//
// Whatever may have made a unit superfluous queues it, and each queued unit is judged by those that
// refer to it, upwards until one is found that stays: what is judged is what has changed, however
// many units there are.
#include <algorithm>

#include "base/release_room.h"
#include "init/manager_impl.h"

namespace flotilla::init {

bool Manager::Impl::is_garbage_root(const Unit& unit) const {
  const ActiveState state = unit.active();
  const bool is_over = state == ActiveState::kInactive ||
                       (state == ActiveState::kFailed && unit.settings.collect_failed);
  if (unit.refs != 0) return true;
  if (unit.job != 0 || !is_over || graph.facts(unit.graph_id).perpetual) return true;
  if (unit.service && (unit.main_pid() != 0 || unit.control_pid() != 0)) return true;
  // What KillMode= leaves alive is asked for under the unit's name.
  if (unit.service && unit.has_cgroup && unit.service->group->is_populated()) return true;
  return jobs.nop_of_unit(unit.graph_id) != nullptr;
}

void Manager::Impl::queue_garbage(UnitId unit) {
  if (unit >= garbage_marks_.size()) garbage_marks_.resize(size_t{unit} + 1);
  if (garbage_marks_[unit].is_queued) return;
  garbage_marks_[unit].is_queued = true;
  garbage_queue_.push_back(unit);
}

void Manager::Impl::queue_all_garbage() {
  for (UnitId unit = 0; unit < graph.limit(); ++unit) queue_garbage(unit);
}

// All units that refer to this one, directly or not, if none of them stays; empty if one does.
std::vector<UnitId> Manager::Impl::find_garbage_with(UnitId unit) {
  std::vector<UnitId> found{unit};
  ++garbage_pass_;
  garbage_marks_[unit].pass = garbage_pass_;
  for (size_t i = 0; i < found.size(); ++i) {
    if (is_garbage_root(*units[found[i]])) return {};
    const bool is_kept = graph.any_referrer(found[i], [&](UnitId other) {
      const Unit* referrer = unit_at(other);
      if (referrer == nullptr) return false;
      if (is_garbage_root(*referrer)) return true;
      if (other >= garbage_marks_.size()) garbage_marks_.resize(size_t{other} + 1);
      if (garbage_marks_[other].pass != garbage_pass_) found.push_back(other);
      garbage_marks_[other].pass = garbage_pass_;
      return false;
    });
    if (is_kept) return {};
  }
  return found;
}

void Manager::Impl::collect_garbage() {
  while (!garbage_queue_.empty()) {
    const UnitId id = garbage_queue_.back();
    garbage_queue_.pop_back();
    garbage_marks_[id].is_queued = false;
    if (!graph.exists(id)) continue;
    if (unit_at(id) == nullptr) {
      // A name that was only mentioned.
      if (!graph.is_referenced(id)) graph.release(id);
      continue;
    }
    // What a service stored is for its next start; without a job none is to come.
    Unit& unit = *units[id];
    if (unit.n_fd_store() != 0 && unit.job == 0 && unit.is_inactive_or_failed()) {
      release_fd_store(unit);
    }
    for (const UnitId superfluous : find_garbage_with(id)) {
      const std::vector<UnitId> mentioned = graph.declared_by(superfluous);
      forget_unit(superfluous);
      for (const UnitId other : mentioned) queue_garbage(other);
      if (graph.exists(superfluous)) queue_garbage(superfluous);
    }
  }
}

void Manager::Impl::give_back_room() {
  jobs.shrink_to_fit();
  graph.shrink_to_fit();
  run_queue_.shrink_to_fit();
  wishing_changes_.shrink_to_fit();
  if (!garbage_queue_.empty()) return;
  base::release_room(garbage_queue_);
  base::release_room(garbage_marks_);
}

}  // namespace flotilla::init
