// What follows for others when a unit comes to a machine or leaves it.
#include "engine/scheduler.h"

namespace flotilla::engine {

void Scheduler::enter(Job& job, Host& host, By by) {
  unpark(job);
  placement_.move(job, &host);
  update_unplaced(job);
  if (job.is_counted) after_entering(job, host, by);
}

void Scheduler::leave(Job& job) {
  Host* host = job.machine;
  if (host == nullptr) return;
  const bool was_counted = job.is_counted;
  placement_.move(job, nullptr);
  update_unplaced(job);
  if (was_counted) after_leaving(job, *host);
}

void Scheduler::after_entering(Job& job, Host& host, By by) {
  ClassTable& classes = placement_.classes();
  if (job.is_peer) {
    for (Job* follower : classes.find_peer(job.name)->followers) {
      if (follower->is_active_global()) unsettle(host);
      pend(*follower);
    }
  }
  if (classes.is_followed(*job.cls)) wake_parked();
  if (placement_.touches_globals(*job.cls)) unsettle(host);
  if (!job.cls->wants->replaces.empty()) check(job);
  const TagId group = job.cls->group;
  const uint32_t limit = group == kNoTag ? 0 : classes.lowest_limit(group);
  if (limit != 0 && host.counts.of(group).bearers > limit) check_all(host);
  if (by == By::kDecided) return;
  // Nobody has looked whether it may come: those that are there may have to leave.
  const bool is_suspect = placement_.has_conflict(job, host) || placement_.is_overcommitted(host) ||
                          classes.is_replaced(*job.cls);
  if (is_suspect) check_all(host);
}

void Scheduler::after_leaving(Job& job, Host& host) {
  ClassTable& classes = placement_.classes();
  if (job.is_peer) {
    for (Job* follower : classes.find_peer(job.name)->followers) {
      if (follower->is_active_global()) unsettle(host);
      if (follower->machine == &host) check(*follower);
    }
  }
  if (classes.is_followed(*job.cls)) {
    for (Job* other : host.jobs) {
      if (!other->cls->wants->patterns.empty()) check(*other);
    }
  }
  if (placement_.touches_globals(*job.cls)) unsettle(host);
}

// Of a unit that has become another.
void Scheduler::wake_followers(Job& job) {
  for (Job* follower : placement_.classes().find_peer(job.name)->followers) {
    are_globals_changed_ |= follower->is_active_global();
    check(*follower);
    pend(*follower);
  }
}

// One unit of a class speaks for all: the first that this sweep comes to, and the first of the
// next.
void Scheduler::wake(Class& cls) {
  if (cls.parked.empty()) return;
  pend(**cls.parked.begin());
  const std::string_view cursor = pending_.cursor();
  if (cursor.empty()) return;
  Job after;
  after.name = cursor;
  const auto next = cls.parked.upper_bound(&after);
  if (next != cls.parked.end()) pend(**next);
}

void Scheduler::wake_parked() {
  for (Class* cls : parked_) wake(*cls);
}

void Scheduler::unsettle(Host& host) {
  if (host.is_unsettled) return;
  host.is_unsettled = true;
  unsettled_.push_back(&host);
}

void Scheduler::settle_globals() {
  while (!unsettled_.empty()) {
    Host& host = *unsettled_.back();
    unsettled_.pop_back();
    if (!placement_.settle_globals(host)) continue;
    check_all(host);
    wake_parked();
  }
}

void Scheduler::check(Job& job) {
  if (job.is_to_check || job.machine == nullptr) return;
  job.is_to_check = true;
  to_check_.add(job);
}

void Scheduler::check_all(Host& host) {
  if (is_deciding_) {
    for (Job* job : host.jobs) check(*job);
    return;
  }
  if (host.is_to_check) return;
  host.is_to_check = true;
  hosts_to_check_.push_back(&host);
}

void Scheduler::pend(Job& job) {
  if (job.is_pending || job.machine != nullptr || job.is_frozen || !job.wants_to_be_placed()) {
    return;
  }
  job.is_pending = true;
  pending_.add(job);
}

void Scheduler::park(Job& job) {
  if (!job.is_parked) {
    job.is_parked = true;
    job.cls->parked.insert(&job);
  }
  if (!is_asleep(*job.cls)) parked_.insert(job.cls);
}

void Scheduler::unpark(Job& job) {
  if (!job.is_parked) return;
  job.is_parked = false;
  job.cls->parked.erase(&job);
  if (job.cls->parked.empty()) parked_.erase(job.cls);
}

// The units follow one that is nowhere, and are told when it comes.
bool Scheduler::is_asleep(const Class& cls) {
  for (const Peer* peer : cls.wants->peers) {
    if (peer->job == nullptr) return true;
    if (!peer->job->is_active_global() && !peer->job->is_counted) return true;
  }
  return false;
}

void Scheduler::touch(Job& job) {
  if (job.is_touched) return;
  job.is_touched = true;
  touched_.push_back(&job);
}

void Scheduler::update_unplaced(Job& job) {
  const bool is_unplaced = job.machine == nullptr && !job.is_frozen && job.wants_to_be_placed();
  if (is_unplaced == job.is_unplaced) return;
  job.is_unplaced = is_unplaced;
  unplaced_ = is_unplaced ? unplaced_ + 1 : unplaced_ - 1;
}

}  // namespace flotilla::engine
