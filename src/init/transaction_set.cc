#include "init/transaction_set.h"

#include <algorithm>

namespace flotilla::init {

TransactionSet::Added TransactionSet::add(UnitId unit, JobType type) {
  for (SetIndex i = by_unit_[unit]; i != kNone; i = jobs_[i].next_of_unit) {
    if (jobs_[i].job.type == type) return {i, false};
  }
  const SetIndex index = limit();
  SetJob& added = jobs_.emplace_back();
  added.job.id = view_.jobs.next_id() + index;
  added.job.unit = unit;
  added.job.type = type;
  added.job.irreversible = irreversible_;
  added.next_of_unit = by_unit_[unit];
  by_unit_[unit] = index;
  return {index, true};
}

void TransactionSet::link(SetIndex subject, SetIndex object, bool matters, bool conflicts) {
  const auto index = static_cast<SetIndex>(links_.size());
  links_.push_back(
      SetLink{subject, object, jobs_[subject].wants, jobs_[object].wanted_by, matters, conflicts});
  jobs_[subject].wants = index;
  jobs_[object].wanted_by = index;
}

void TransactionSet::unchain(SetIndex index) noexcept {
  SetIndex* place = &by_unit_[jobs_[index].job.unit];
  while (*place != index) place = &jobs_[*place].next_of_unit;
  *place = jobs_[index].next_of_unit;
  jobs_[index].next_of_unit = kNone;
}

namespace {
// A link lives as long as both of its jobs do.
bool is_alive(const TransactionSet& set, const SetLink& link) noexcept {
  return link.object != kNone && !set[link.subject].deleted && !set[link.object].deleted;
}
}  // namespace

void TransactionSet::remove(SetIndex index, Cascade cascade) {
  pending_.assign(1, index);
  while (!pending_.empty()) {
    const SetIndex next = pending_.back();
    pending_.pop_back();
    if (jobs_[next].deleted) continue;
    if (cascade == Cascade::kDependents) {
      for (SetIndex l = jobs_[next].wanted_by; l != kNone; l = links_[l].next_of_object) {
        if (is_alive(*this, links_[l]) && links_[l].matters) pending_.push_back(links_[l].subject);
      }
    }
    unchain(next);
    jobs_[next].deleted = true;
  }
}

void TransactionSet::remove_unit(UnitId unit) {
  while (by_unit_[unit] != kNone) remove(by_unit_[unit], Cascade::kDependents);
}

void TransactionSet::remove_unwanted() {
  const auto is_wanted = [this](SetIndex index) {
    for (SetIndex l = jobs_[index].wanted_by; l != kNone; l = links_[l].next_of_object) {
      if (is_alive(*this, links_[l])) return true;
    }
    return false;
  };
  std::vector<SetIndex> candidates;
  for (SetIndex i = 0; i < limit(); ++i) candidates.push_back(i);
  while (!candidates.empty()) {
    const SetIndex next = candidates.back();
    candidates.pop_back();
    if (jobs_[next].deleted || next == anchor() || is_wanted(next)) continue;
    for (SetIndex l = jobs_[next].wants; l != kNone; l = links_[l].next_of_subject) {
      if (is_alive(*this, links_[l])) candidates.push_back(links_[l].object);
    }
    unchain(next);
    jobs_[next].deleted = true;
  }
}

void TransactionSet::mark_matters() {
  std::vector<SetIndex> stack{anchor()};
  jobs_[anchor()].matters = true;
  while (!stack.empty()) {
    const SetIndex next = stack.back();
    stack.pop_back();
    for (SetIndex l = jobs_[next].wants; l != kNone; l = links_[l].next_of_subject) {
      const SetLink& link = links_[l];
      if (!is_alive(*this, link) || !link.matters || jobs_[link.object].matters) continue;
      jobs_[link.object].matters = true;
      stack.push_back(link.object);
    }
  }
}

bool TransactionSet::unit_matters(UnitId unit) const noexcept {
  for (SetIndex i = by_unit_[unit]; i != kNone; i = jobs_[i].next_of_unit) {
    if (jobs_[i].matters) return true;
  }
  return false;
}

bool TransactionSet::is_conflicted(SetIndex index) const noexcept {
  for (SetIndex l = jobs_[index].wanted_by; l != kNone; l = links_[l].next_of_object) {
    if (is_alive(*this, links_[l]) && links_[l].conflicts) return true;
  }
  return false;
}

void TransactionSet::merge(SetIndex into, SetIndex from, JobType type) {
  SetJob& kept = jobs_[into];
  SetJob& gone = jobs_[from];
  kept.job.type = type;
  kept.job.irreversible |= gone.job.irreversible;
  kept.job.ignore_order |= gone.job.ignore_order;
  kept.matters |= gone.matters;
  SetIndex* tail = &kept.wants;
  while (*tail != kNone) tail = &links_[*tail].next_of_subject;
  *tail = gone.wants;
  for (SetIndex l = gone.wants; l != kNone; l = links_[l].next_of_subject) links_[l].subject = into;
  tail = &kept.wanted_by;
  while (*tail != kNone) tail = &links_[*tail].next_of_object;
  *tail = gone.wanted_by;
  for (SetIndex l = gone.wanted_by; l != kNone; l = links_[l].next_of_object) {
    links_[l].object = into;
  }
  gone.wants = gone.wanted_by = kNone;
  unchain(from);
  gone.deleted = true;
}

}  // namespace flotilla::init
