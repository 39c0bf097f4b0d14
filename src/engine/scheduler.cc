#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/notes.h"

namespace flotilla::engine {

namespace {

using registry::TargetState;

// A pass settles in two or three rounds; a ring of requirements that we failed to foresee must not
// hold the leader for ever.
constexpr int kMaxRounds = 64;

}  // namespace

Scheduler::Scheduler() = default;
Scheduler::~Scheduler() = default;

std::vector<Decision> Scheduler::decide(Absence absence) {
  prepare();
  if (absence == Absence::kTrusted && absence_ == Absence::kDoubted) {
    for (const auto& [id, host] : placement_.all_hosts()) {
      if (host.is_present) continue;
      for (Job* job : host.jobs) check(*job);
    }
  }
  absence_ = absence;
  is_deciding_ = true;
  for (int round = 0; round < kMaxRounds; ++round) {
    bool is_changed = check_scheduled();
    is_changed |= drain();
    is_changed |= place_pending();
    if (!is_changed) break;
  }
  is_deciding_ = false;
  std::vector<Decision> decisions = conclude();
  bury();
  return decisions;
}

// All is where the store has it, and the globals where they are then.
void Scheduler::prepare() {
  take_back();
  if (is_reordered_) placement_.reorder();
  is_reordered_ = false;
  if (are_globals_changed_) {
    for (Host* host : placement_.hosts()) unsettle(*host);
  }
  are_globals_changed_ = false;
  settle_globals();
  for (Host* host : hosts_to_check_) {
    host->is_to_check = false;
    for (Job* job : host->jobs) check(*job);
  }
  hosts_to_check_.clear();
}

void Scheduler::take_back() {
  std::vector<Job*> in_flight;
  in_flight.swap(in_flight_);
  for (Job* job : in_flight) {
    if (!job->is_in_flight) continue;
    job->is_in_flight = false;
    settle_record(*job);
    look_at(*job);
  }
}

bool Scheduler::check_scheduled() {
  bool is_changed = false;
  while (!to_check_.is_empty()) {
    to_check_.begin_sweep();
    while (Job* job = to_check_.take()) {
      job->is_to_check = false;
      if (job->machine == nullptr || job->is_frozen) continue;
      if (auto why = why_leave(*job)) {
        const Decision::Cause cause = !job->wants_to_run()       ? Decision::Cause::kOther
                                      : job->machine->is_present ? Decision::Cause::kUnableToRun
                                                                 : Decision::Cause::kMachineAway;
        take_off(*job, std::move(*why), cause);
        is_changed = true;
      } else if (!job->requirements().replaces.empty()) {
        is_changed |= push_off_replaced(*job);
      }
    }
  }
  return is_changed;
}

std::optional<std::string> Scheduler::why_leave(const Job& job) const {
  if (!job.exists) return "unit does not exist any more";
  if (job.desired == TargetState::kInactive) return "target state inactive";
  if (job.is_template) return "unit is a template";
  if (job.requirements().global) return "unit is global";
  const Host& host = *job.machine;
  if (!host.is_present) {
    if (absence_ == Absence::kDoubted || host.is_unreadable) return std::nullopt;
    return fmt::format("target Machine({}) went away", host.id);
  }
  const bool may_stay = job.requirements().allows_machine(host.id) &&
                        job.requirements().allows_metadata(host.metadata) &&
                        placement_.fits(job, host, Placement::Mode::kStay);
  if (may_stay) return std::nullopt;
  return fmt::format("target Machine({}) unable to run unit: {}", host.id,
                     placement_.why_not(job, host, Placement::Mode::kStay).value_or(""));
}

// Only the unit that has Replaces= acts, so that it is never the one to go.
bool Scheduler::push_off_replaced(const Job& replacer) {
  const Host& host = *replacer.machine;
  if (!host.is_present) return false;
  std::vector<Job*> replaced;
  for (Job* other : host.jobs) {
    if (other->is_counted && !other->is_frozen && placement_.replaces(replacer, *other)) {
      replaced.push_back(other);
    }
  }
  std::sort(replaced.begin(), replaced.end(), ByName());
  for (Job* other : replaced) {
    take_off(*other,
             fmt::format("target Machine({}) unable to run unit: found replace with "
                         "locally-scheduled Unit({})",
                         host.id, replacer.name),
             Decision::Cause::kUnableToRun);
  }
  return !replaced.empty();
}

void Scheduler::take_off(Job& job, std::string why, Decision::Cause cause) {
  touch(job);
  if (job.machine == job.before) removed_[&job] = {std::move(why), cause};
  leave(job);
  settle_globals();
  pend(job);
}

// From machines that are being drained to others that can take them. What may run twice goes on
// where it is until it runs at the new place.
bool Scheduler::drain() {
  bool is_changed = false;
  std::vector<Job*> there;
  for (const Host* host : draining_) {
    std::copy_if(host->jobs.begin(), host->jobs.end(), std::back_inserter(there),
                 [](const Job* job) { return !job->is_frozen; });
  }
  std::sort(there.begin(), there.end(), ByName());
  for (Job* job : there) {
    if (job->is_finished) {
      take_off(*job, "machine is being drained", Decision::Cause::kOther);
      is_changed = true;
      continue;
    }
    Host* target = placement_.find_machine_for(*job);
    if (target == nullptr) continue;
    is_changed = true;
    if (job->machine == job->before && !job->stops_first()) job->handed_over_by = job->before;
    take_off(*job, "machine is being drained", Decision::Cause::kOther);
    if (job->stops_first()) continue;
    enter(*job, *target, By::kDecided);
    settle_globals();
  }
  return is_changed;
}

bool Scheduler::place_pending() {
  bool is_changed = false;
  wake_parked();
  pending_.begin_sweep();
  while (Job* job = pending_.take()) {
    job->is_pending = false;
    if (job->machine != nullptr || job->is_frozen || !job->wants_to_be_placed()) continue;
    // What must stop first is not placed in the pass that takes it off: only then can nobody
    // have been allowed to start it meanwhile.
    if (job->stops_first() && (job->before != nullptr || why_not_yet(*job))) continue;
    Host* host = placement_.find_machine_for(*job);
    if (host == nullptr) {
      park(*job);
      continue;
    }
    if (job->is_parked) {
      const auto next = job->cls->parked.upper_bound(job);
      if (next != job->cls->parked.end()) pend(**next);
    }
    touch(*job);
    enter(*job, *host, By::kDecided);
    settle_globals();
    is_changed = true;
  }
  return is_changed;
}

// A machine that tells a state of the unit may run it still.
std::optional<std::string> Scheduler::why_not_yet(const Job& job) const {
  const Extra* more = job.stops_first() ? find_extra(job) : nullptr;
  if (more == nullptr || more->told_by == nullptr) return std::nullopt;
  return fmt::format("unit is not yet gone from Machine({})", more->told_by->id);
}

std::vector<Decision> Scheduler::conclude() {
  std::vector<Decision> decisions;
  if (!std::is_sorted(touched_.begin(), touched_.end(), ByName())) {
    std::sort(touched_.begin(), touched_.end(), ByName());
  }
  // What goes comes before what is put in its place. One look at each unit: they lie far apart.
  std::vector<Decision> scheduled;
  std::vector<Decision> globals;
  std::vector<Decision> former_globals;
  scheduled.reserve(touched_.size());
  for (Job* job : touched_) {
    job->is_touched = false;
    if (job->is_frozen) continue;
    conclude_unschedule(*job, decisions);
    conclude_schedule(*job, scheduled);
    conclude_put_global(*job, globals);
    conclude_remove_global(*job, former_globals);
    if (job->machine != job->before || job->handed_over_by != nullptr) put_in_flight(*job);
  }
  if (decisions.empty()) decisions.swap(scheduled);
  for (std::vector<Decision>* more : {&scheduled, &globals, &former_globals}) {
    decisions.insert(decisions.end(), std::make_move_iterator(more->begin()),
                     std::make_move_iterator(more->end()));
  }
  touched_.clear();
  removed_.clear();
  return decisions;
}

void Scheduler::conclude_unschedule(Job& job, std::vector<Decision>& decisions) {
  if (const Extra* more = find_extra(job)) {
    for (const Host* host : more->doubles) {
      if (host == job.machine) continue;  // it is put there: one key, one operation
      add(decisions, Decision::Kind::kUnschedule, job, host,
          fmt::format("unit is also scheduled to Machine({})", job.before->id));
    }
  }
  if (job.before == nullptr || job.machine == job.before || job.handed_over_by == job.before) {
    return;
  }
  const auto removal = removed_.find(&job);
  const bool is_known = removal != removed_.end();
  add(decisions, Decision::Kind::kUnschedule, job, job.before,
      is_known ? std::move(removal->second.why) : std::string());
  if (is_known) decisions.back().cause = removal->second.cause;
}

void Scheduler::conclude_schedule(Job& job, std::vector<Decision>& decisions) {
  if (job.machine == nullptr) return;
  if (job.machine != job.before) {
    add(decisions, Decision::Kind::kSchedule, job, job.machine,
        job.desired == TargetState::kLaunched ? "target state launched and unit not scheduled"
                                              : "target state loaded and unit not scheduled");
  } else if (job.record_hash != job.hash) {
    add(decisions, Decision::Kind::kUpdate, job, job.machine, "unit was overwritten");
  } else if (job.record_target != job.desired) {
    add(decisions, Decision::Kind::kUpdate, job, job.machine,
        fmt::format("target state {}", to_string(job.desired)));
  } else if (job.is_record_finished != job.is_finished) {
    add(decisions, Decision::Kind::kUpdate, job, job.machine,
        job.is_finished ? "unit has finished" : "unit has not finished");
  } else if (job.is_record_leaving && job.handed_over_by == nullptr) {
    add(decisions, Decision::Kind::kUpdate, job, job.machine, "unit stays here");
  }
}

void Scheduler::conclude_put_global(Job& job, std::vector<Decision>& decisions) {
  if (!job.is_active_global()) return;
  const Extra* more = find_extra(job);
  const bool is_right = more != nullptr && more->has_global && more->global_hash == job.hash &&
                        more->global_target == job.desired;
  if (is_right) return;
  add(decisions, Decision::Kind::kPutGlobal, job, nullptr,
      fmt::format("target state {}", to_string(job.desired)));
}

void Scheduler::conclude_remove_global(Job& job, std::vector<Decision>& decisions) {
  const Extra* more = find_extra(job);
  if (more == nullptr || !more->has_global || job.is_active_global()) return;
  add(decisions, Decision::Kind::kRemoveGlobal, job, nullptr,
      !job.exists                  ? "unit does not exist any more"
      : !job.requirements().global ? "unit is not global any more"
                                   : "target state inactive");
}

void Scheduler::add(std::vector<Decision>& decisions, Decision::Kind kind, Job& job,
                    const Host* host, std::string reason) {
  decisions.push_back({kind, std::string(job.name), host == nullptr ? "" : std::string(host->id),
                       std::move(reason), Decision::Cause::kOther});
  put_in_flight(job);
}

void Scheduler::put_in_flight(Job& job) {
  if (job.is_in_flight) return;
  job.is_in_flight = true;
  in_flight_.push_back(&job);
}

void Scheduler::bury() {
  std::sort(gone_.begin(), gone_.end());
  gone_.erase(std::unique(gone_.begin(), gone_.end()), gone_.end());
  std::erase_if(gone_, [this](Job* job) {
    if (!job->is_gone) return true;
    if (job->is_to_check || job->is_pending || job->is_in_flight || job->is_parked) return false;
    placement_.erase(*job);
    return true;
  });
}

bool Scheduler::has_units_away() const {
  const auto& hosts = placement_.all_hosts();
  return std::any_of(hosts.begin(), hosts.end(), [](const auto& host) {
    return !host.second.is_present && !host.second.jobs.empty();
  });
}

std::string Scheduler::find_other_machine(std::string_view unit) {
  prepare();
  const Job* job = placement_.find_job(unit);
  if (job == nullptr || job->machine == nullptr || job->is_frozen) return {};
  const Host* other = placement_.find_other_machine_for(*job);
  return other != nullptr ? std::string(other->id) : std::string();
}

bool Scheduler::may_move(std::string_view unit, std::string_view machine) {
  prepare();
  const Job* job = placement_.find_job(unit);
  const Host* host = placement_.find_host(machine);
  if (job == nullptr || host == nullptr || job->machine == host || job->is_frozen) return false;
  if (!host->is_open_to(job->requirements()) ||
      !placement_.fits(*job, *host, Placement::Mode::kMoveIn)) {
    return false;
  }
  return job->requirements().replaces.empty() ||
         std::none_of(host->jobs.begin(), host->jobs.end(), [&](const Job* other) {
           return other->is_counted && placement_.replaces(*job, *other);
         });
}

std::vector<Verdict> Scheduler::explain(std::string_view unit) {
  std::vector<Verdict> verdicts;
  prepare();
  const Job* job = placement_.find_job(unit);
  if (job == nullptr || !job->exists) return verdicts;
  for (const Host* host : placement_.hosts()) {
    verdicts.push_back({std::string(host->id), why_not(*job, *host).value_or("")});
    if (!verdicts.back().why_not.empty() || job->requirements().global) continue;
    std::string& note = verdicts.back().note;
    note = placement_.describe_rank(*job, *host);
    const Extra* more = job->stops_first() ? find_extra(*job) : nullptr;
    if (more == nullptr || more->told_by == nullptr || more->told_by == host) continue;
    note += fmt::format("{}once it is stopped on Machine({})", note.empty() ? "" : "; ",
                        more->told_by->id);
  }
  return verdicts;
}

std::optional<std::string> Scheduler::why_not(const Job& job, const Host& host) const {
  if (job.is_template) return "unit is a template";
  if (job.is_finished) {
    return fmt::format("unit has finished on Machine({}), and is not run again",
                       extras_.at(&job).finished_on->id);
  }
  const bool is_there = job.is_counted && job.machine == &host;
  std::optional<std::string> why =
      job.requirements().global
          ? placement_.why_not_global(job, host)
          : placement_.why_not(job, host,
                               is_there ? Placement::Mode::kStay : Placement::Mode::kMoveIn);
  // Where it is it would be stopped to go there.
  const Extra* more = job.machine != nullptr ? find_extra(job) : nullptr;
  const bool can_leave = more != nullptr && more->told_by == job.machine;
  if (!why && !is_there && !can_leave) why = why_not_yet(job);
  // That of the metadata alone says too little to act on.
  const auto metadata = job.requirements().why_not_metadata(host.metadata);
  if (why == "local Machine metadata insufficient" && metadata) *why += ": " + *metadata;
  return why;
}

std::vector<Decision> decide(const registry::Cluster& cluster, Absence absence) {
  Scheduler scheduler;
  scheduler.read(cluster);
  return scheduler.decide(absence);
}

std::vector<Verdict> explain(const registry::Cluster& cluster, std::string_view unit) {
  Scheduler scheduler;
  scheduler.read(cluster);
  std::vector<Verdict> verdicts = scheduler.explain(unit);
  add_notes(cluster, unit, Holding::kNothing, verdicts);
  return verdicts;
}

}  // namespace flotilla::engine
