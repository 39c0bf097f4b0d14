// What the scheduler is told of the cluster.
#include <algorithm>

#include "engine/scheduler.h"
#include "unit/fleet_name.h"
#include "unit/oneshot.h"

namespace flotilla::engine {

namespace {

using registry::TargetState;

const std::vector<unit::UnitOption> kNoOptions;

// Two texts of one unit are told apart by it, no more.
uint64_t fingerprint(std::string_view hash) { return std::hash<std::string_view>()(hash); }

bool is_template_name(std::string_view name) {
  if (name.find('@') == std::string_view::npos) return false;
  const auto split = unit::split_fleet_name(name);
  return split && split->is_template();
}

// What the machine tells of the unit's present text, once it has started it: null if nothing.
const registry::UnitState* state_of_start(const Scheduler::UnitFacts& facts,
                                          const std::string& machine) {
  if (facts.unit == nullptr || facts.states == nullptr) return nullptr;
  const auto state = facts.states->find(machine);
  const bool is_known = state != facts.states->end() && state->second.launched &&
                        state->second.hash == facts.unit->hash;
  return is_known ? &state->second : nullptr;
}

// Whether nothing is lost when the unit leaves that machine: with its present text or another, it
// has ended there, has failed, or could not even be loaded.
bool is_told_down(const Scheduler::UnitFacts& facts, const std::string& machine) {
  if (facts.states == nullptr) return false;
  const auto state = facts.states->find(machine);
  if (state == facts.states->end()) return false;
  return state->second.active_state == "inactive" || state->second.active_state == "failed";
}

template <typename Map>
auto find_in(const Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

void Scheduler::read(const registry::Cluster& cluster) {
  for (const auto& [id, machine] : cluster.machines) read_machine(cluster, id);
  for (const std::string& id : cluster.unreadable_machines) read_machine(cluster, id);
  for (const auto& [name, unit] : cluster.units) read_unit(cluster, name);
  for (const auto& [name, machines] : cluster.schedule) {
    if (!cluster.units.contains(name)) read_unit(cluster, name);
  }
  for (const auto& [name, global] : cluster.globals) {
    if (!cluster.units.contains(name)) read_unit(cluster, name);
  }
}

void Scheduler::update(const registry::Cluster& cluster, const registry::ClusterChange& change) {
  for (const std::string& id : change.machines) read_machine(cluster, id);
  for (const std::string& name : change.units) read_unit(cluster, name);
  for (const std::string& name : change.schedule) {
    if (!change.units.contains(name)) read_unit(cluster, name);
  }
  for (const std::string& name : change.states) {
    if (change.units.contains(name) || change.schedule.contains(name)) continue;
    const Job* job = placement_.find_job(name);
    if (job != nullptr && (job->stops_first() || job->has_extra)) read_unit(cluster, name);
  }
}

void Scheduler::read_unit(const registry::Cluster& cluster, std::string_view name) {
  UnitFacts facts;
  facts.name = name;
  facts.unit = find_in(cluster.units, name);
  facts.schedule = find_in(cluster.schedule, name);
  facts.global = find_in(cluster.globals, name);
  facts.states = find_in(cluster.states, name);
  facts.finished = cluster.find_finished(name);
  facts.is_unreadable = cluster.unreadable_units.contains(name);
  set_unit(facts);
}

void Scheduler::read_machine(const registry::Cluster& cluster, std::string_view id) {
  MachineFacts facts;
  facts.id = id;
  facts.machine = find_in(cluster.machines, id);
  if (facts.machine != nullptr) facts.metadata = cluster.metadata_of(*facts.machine);
  facts.is_unreadable = cluster.unreadable_machines.contains(id);
  set_machine(facts);
}

void Scheduler::set_machine(const MachineFacts& facts) {
  Host& host = placement_.host(facts.id);
  const bool is_present = facts.machine != nullptr;
  Capacity capacity;
  if (is_present) {
    capacity = {uint64_t{facts.machine->cpus} * 1000, facts.machine->memory_bytes,
                facts.machine->disk_bytes};
  }
  const bool is_same = host.is_present == is_present && host.is_unreadable == facts.is_unreadable &&
                       host.metadata == facts.metadata && host.capacity == capacity;
  if (is_same) return;
  host.is_present = is_present;
  host.is_unreadable = facts.is_unreadable;
  host.metadata = facts.metadata;
  host.capacity = capacity;
  host.cordon = registry::cordon_of(host.metadata);
  if (is_present && host.cordon == registry::Cordon::kDraining) {
    draining_.insert(&host);
  } else {
    draining_.erase(&host);
  }
  is_reordered_ = true;
  unsettle(host);
  check_all(host);
  const std::set<Job*, ByName> doubled = doubled_;
  for (Job* job : doubled) {
    settle_record(*job);
    look_at(*job);
  }
}

void Scheduler::set_unit(const UnitFacts& facts) {
  Job& job = placement_.job(facts.name);
  if (job.cls == nullptr) placement_.classify(job, &kNoOptions);
  const bool was_in_flight = job.is_in_flight;
  job.is_in_flight = false;
  const bool exists = facts.unit != nullptr;
  const bool is_same =
      job.exists == exists && job.is_frozen == facts.is_unreadable && !job.is_gone &&
      job.is_finished == (facts.finished != nullptr) &&
      (!exists || (job.desired == facts.unit->desired && !facts.unit->hash.empty() &&
                   job.hash == fingerprint(facts.unit->hash)));
  const bool had_extra = job.has_extra;
  const Extra extra_before = had_extra ? extras_.at(&job) : Extra();
  if (is_same && was_in_flight && is_as_decided(job, facts)) {
    set_record(job, facts);
    job.before = job.machine;
    return;
  }
  if (!is_same) change_nature(job, facts);
  const Job record_before = job;
  set_record(job, facts);
  settle_record(job);
  const bool is_record_same = is_same && !was_in_flight && had_extra == job.has_extra &&
                              record_before.before == job.before &&
                              record_before.record_hash == job.record_hash &&
                              record_before.record_target == job.record_target &&
                              record_before.is_record_finished == job.is_record_finished &&
                              record_before.is_record_leaving == job.is_record_leaving &&
                              (!had_extra || extra_before == extras_.at(&job));
  if (!is_record_same) look_at(job);
  job.is_gone = !exists && facts.schedule == nullptr && facts.global == nullptr;
  if (job.is_gone) gone_.push_back(&job);
}

// The store has come to say what was decided, and there is nothing else to say of the unit.
bool Scheduler::is_as_decided(const Job& job, const UnitFacts& facts) const {
  if (job.has_extra || facts.global != nullptr || facts.schedule == nullptr ||
      facts.schedule->size() != 1 || !job.exists || job.stops_first() || job.machine == nullptr) {
    return false;
  }
  const auto& [machine, entry] = *facts.schedule->begin();
  return job.machine->id == machine && fingerprint(entry.hash) == job.hash &&
         entry.target == job.desired && entry.is_finished == job.is_finished && !entry.is_leaving;
}

void Scheduler::set_record(Job& job, const UnitFacts& facts) {
  Extra more;
  if (facts.schedule != nullptr) {
    for (const auto& [machine, entry] : *facts.schedule) {
      const registry::UnitState* state = state_of_start(facts, machine);
      more.records.push_back({&placement_.host(machine), fingerprint(entry.hash), entry.target,
                              state != nullptr && state->active_state == "active",
                              state != nullptr && state->active_state == "failed",
                              is_told_down(facts, machine), entry.is_leaving, entry.is_finished});
    }
  }
  const Record first = more.records.empty() ? Record() : more.records.front();
  if (more.records.size() < 2) more.records.clear();
  if (facts.global != nullptr) {
    more.has_global = true;
    more.global_hash = fingerprint(facts.global->hash);
    more.global_target = facts.global->target;
  }
  if (facts.finished != nullptr) more.finished_on = &placement_.host(facts.finished->finished_on);
  if (job.stops_first() && facts.states != nullptr && !facts.states->empty()) {
    more.told_by = &placement_.host(facts.states->begin()->first);
  }
  job.before = first.host;
  job.record_hash = first.hash;
  job.record_target = first.target;
  job.is_record_finished = first.is_finished;
  job.is_record_leaving = first.is_leaving;
  if (more.records.empty()) {
    doubled_.erase(&job);
  } else {
    doubled_.insert(&job);
  }
  job.has_extra = !more.is_empty();
  if (job.has_extra) {
    extras_[&job] = std::move(more);
  } else {
    extras_.erase(&job);
  }
}

// Taken out with all that hangs on it, and put in as what it has become.
void Scheduler::change_nature(Job& job, const UnitFacts& facts) {
  Host* host = job.machine;
  leave(job);
  unpark(job);
  const bool was_global = placement_.globals().contains(&job);
  const bool was_replacer = placement_.replacers().contains(&job);
  if (was_global) withdraw_global(job);
  const bool exists = facts.unit != nullptr;
  const uint64_t hash = exists ? fingerprint(facts.unit->hash) : 0;
  const bool is_other_text = !exists || hash != job.hash || facts.unit->hash.empty() || !job.exists;
  job.exists = exists;
  job.is_frozen = facts.is_unreadable;
  job.is_finished = facts.finished != nullptr;
  if (is_other_text) job.is_oneshot = exists && unit::is_oneshot(facts.unit->options);
  job.is_template = is_template_name(job.name);
  job.hash = hash;
  job.desired = exists ? facts.unit->desired : TargetState::kInactive;
  if (is_other_text) {
    placement_.classify(job, exists ? &facts.unit->options : &kNoOptions);
    add_new_tags();
  }
  const bool is_global = job.is_active_global();
  if (is_global) placement_.add_global(job);
  are_globals_changed_ |= is_global;
  const bool is_replacer = !is_global && !job.requirements().replaces.empty();
  if (was_replacer || is_replacer) {
    placement_.set_replacer(job, is_replacer);
    for (Job* replacer : placement_.replacers()) check(*replacer);
  }
  if (host != nullptr) enter(job, *host, By::kTold);
  if (job.is_peer) wake_followers(job);
  update_unplaced(job);
}

void Scheduler::withdraw_global(Job& job) {
  are_globals_changed_ = true;
  for (Host* host : placement_.withdraw_global(job)) check_all(*host);
}

// Units that bear a tag nobody asked for before.
void Scheduler::add_new_tags() {
  for (const Tags::New& tag : placement_.classes().tags().take_new()) {
    std::vector<Job*> bearers;
    if (!tag.is_whole) {
      bearers = placement_.jobs_from(tag.prefix);
    } else if (Job* job = placement_.find_job(tag.prefix)) {
      bearers.push_back(job);
    }
    for (Job* job : bearers) {
      if (job->cls == nullptr) continue;
      const bool was_parked = job->is_parked;
      unpark(*job);
      const bool is_global = placement_.globals().contains(job);
      if (is_global) withdraw_global(*job);
      const bool is_other = placement_.classify(*job, nullptr);
      if (is_global) placement_.add_global(*job);
      if (was_parked) pend(*job);
      if (is_other && job->machine != nullptr) check_all(*job->machine);
    }
  }
}

void Scheduler::settle_record(Job& job) {
  job.handed_over_by = nullptr;
  const auto more = job.has_extra ? extras_.find(&job) : extras_.end();
  if (more != extras_.end() && !more->second.records.empty()) settle_records(job, more->second);
  if (job.machine == job.before) return;
  leave(job);
  if (job.before != nullptr) enter(job, *job.before, By::kTold);
  update_unplaced(job);
}

// Of several machines one is being drained of the unit, or left by it, if several are the one that
// runs it; the rest but the first are mistakes.
void Scheduler::settle_records(Job& job, Extra& more) {
  const auto is_drained = [this](const Record& record) {
    return record.is_leaving || draining_.contains(record.host);
  };
  auto before = std::find_if_not(more.records.begin(), more.records.end(), is_drained);
  if (before == more.records.end()) before = more.records.begin();
  if (before->has_failed) {
    // It was to go where it does not run: it stays where it does.
    const auto still = std::find_if(more.records.begin(), more.records.end(), [&](const auto& r) {
      return r.is_leaving && r.runs && r.host->is_present && !draining_.contains(r.host);
    });
    if (still != more.records.end()) before = still;
  }
  const Record* giver = nullptr;
  for (const Record& record : more.records) {
    if (&record == &*before || !is_drained(record) || before->is_leaving) continue;
    if (giver == nullptr || (record.runs && !giver->runs)) giver = &record;
  }
  job.before = before->host;
  job.record_hash = before->hash;
  job.record_target = before->target;
  job.is_record_finished = before->is_finished;
  job.is_record_leaving = before->is_leaving;
  if (giver != nullptr && !is_handed_over(job, *before, *giver)) job.handed_over_by = giver->host;
  more.doubles.clear();
  for (const Record& record : more.records) {
    const bool is_right = record.host == job.before || record.host == job.handed_over_by;
    if (!is_right) more.doubles.push_back(record.host);
  }
}

// Whether it runs on its new machine as it should, need not run at all, or runs nowhere: what does
// not run at the old place has nothing to wait for, and may never run at the new one either.
bool Scheduler::is_handed_over(const Job& job, const Record& record, const Record& giver) const {
  return !job.exists || job.desired != TargetState::kLaunched || job.is_finished || record.runs ||
         (record.has_failed && !giver.runs) || (giver.is_down && giver.host->is_present);
}

void Scheduler::look_at(Job& job) {
  touch(job);
  check(job);
  pend(job);
}

const Scheduler::Extra* Scheduler::find_extra(const Job& job) const {
  return job.has_extra ? &extras_.at(&job) : nullptr;
}

}  // namespace flotilla::engine
