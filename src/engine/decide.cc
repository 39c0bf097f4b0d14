#include "engine/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "engine/placement.h"
#include "unit/fleet_name.h"

namespace flotilla::engine {

namespace {

using registry::Cluster;
using registry::TargetState;
using registry::Unit;

// A pass settles in two or three rounds; a ring of requirements that we failed to foresee must not
// hold the leader for ever.
constexpr int kMaxRounds = 64;

const unit::FleetRequirements kNoRequirements;

void read_name(Job& job) {
  const auto split = unit::split_fleet_name(job.name);
  if (!split) return;
  job.is_template = split->is_template();
  if (split->is_instance()) job.group = split->template_name;
}

class Pass {
 public:
  Pass(const Cluster& cluster, RequirementsCache& requirements, Absence absence)
      : cluster_(cluster), absence_(absence), placement_(cluster) {
    collect(requirements);
  }

  std::vector<Decision> run() {
    for (int round = 0; round < kMaxRounds; ++round) {
      bool is_changed = check_scheduled();
      is_changed |= drain();
      is_changed |= place_pending();
      if (!is_changed) break;
    }
    conclude();
    decide_globals();
    return std::move(decisions_);
  }

  // After run().
  size_t unplaced() const {
    return static_cast<size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) {
          return entry.job.machine.empty() && !entry.job.is_frozen && wants_to_run(entry.job);
        }));
  }

  std::vector<Verdict> explain(std::string_view unit) {
    std::vector<Verdict> verdicts;
    const Entry* entry = find_entry(unit);
    if (entry == nullptr || entry->job.unit == nullptr) return verdicts;
    for (const auto& [id, host] : placement_.hosts()) {
      verdicts.push_back({std::string(id), why_not(entry->job, host).value_or("")});
    }
    return verdicts;
  }

 private:
  struct Entry {
    Job job;
    std::string_view before;  // the machine it was on when the pass began
    std::string why_removed;
    Decision::Cause cause = Decision::Cause::kOther;
    // The machine that is being drained of it: it runs there until it runs elsewhere.
    std::string_view handed_over_by;
    std::vector<std::string_view> doubles;  // further machines it is scheduled to by mistake
  };

  void collect(RequirementsCache& requirements) {
    // Both maps are ordered by name: so are the entries.
    auto unit = cluster_.units.begin();
    auto scheduled = cluster_.schedule.begin();
    while (unit != cluster_.units.end() || scheduled != cluster_.schedule.end()) {
      const bool has_unit = unit != cluster_.units.end() && (scheduled == cluster_.schedule.end() ||
                                                             unit->first <= scheduled->first);
      const bool has_schedule =
          scheduled != cluster_.schedule.end() && (!has_unit || unit->first == scheduled->first);
      Entry& entry = entries_.emplace_back();
      entry.job.name = has_unit ? unit->first : scheduled->first;
      entry.job.requirements = &kNoRequirements;
      read_name(entry.job);
      entry.job.is_frozen = cluster_.unreadable_units.contains(entry.job.name);
      if (has_unit) {
        entry.job.unit = &unit->second;
        entry.job.requirements = &requirements.of(unit->second);
      }
      if (has_schedule) {
        collect_machines(entry, scheduled->second);
      }
      if (has_unit) ++unit;
      if (has_schedule) ++scheduled;
    }
    for (Entry& entry : entries_) settle_in(entry);
    placement_.settle_globals();
  }

  // Of several machines one is being drained, or all but the first are mistakes.
  void collect_machines(Entry& entry,
                        const std::map<std::string, registry::ScheduleEntry>& machines) const {
    for (const auto& [machine, record] : machines) {
      if (entry.before.empty()) {
        entry.before = machine;
      } else if (entry.handed_over_by.empty() && is_draining(entry.before)) {
        entry.handed_over_by = entry.before;
        entry.before = machine;
      } else if (entry.handed_over_by.empty() && is_draining(machine)) {
        entry.handed_over_by = machine;
      } else {
        entry.doubles.push_back(machine);
      }
    }
    if (entry.handed_over_by.empty() || !is_handed_over(entry)) return;
    entry.doubles.push_back(entry.handed_over_by);
    entry.handed_over_by = {};
  }

  bool is_draining(std::string_view machine) const {
    const auto found = cluster_.machines.find(machine);
    return found != cluster_.machines.end() &&
           registry::cordon_of(cluster_.metadata_of(found->second)) == registry::Cordon::kDraining;
  }

  // Whether it runs on its new machine as it should, or need not run at all.
  bool is_handed_over(const Entry& entry) const {
    const Unit* unit = entry.job.unit;
    if (unit == nullptr || unit->desired != TargetState::kLaunched) return true;
    const auto states = cluster_.states.find(unit->name);
    if (states == cluster_.states.end()) return false;
    const auto state = states->second.find(std::string(entry.before));
    return state != states->second.end() && state->second.launched &&
           state->second.hash == unit->hash && state->second.active_state == "active";
  }

  void settle_in(Entry& entry) {
    Job& job = entry.job;
    job.machine = entry.before;
    if (is_active_global(job)) return placement_.add_global(job);
    if (!job.requirements->replaces.empty()) placement_.add_replacer(job);
    if (job.machine.empty()) return;
    // What is about to leave does not count against others even before it is looked at.
    Host* host = placement_.find_host(job.machine);
    if (host != nullptr && (job.is_frozen || wants_to_run(job))) placement_.place(job, *host);
  }

  static bool is_active_global(const Job& job) {
    return job.unit != nullptr && job.requirements->global && !job.is_template &&
           job.unit->desired != TargetState::kInactive;
  }

  static bool runs_once(const Job& job) {
    return job.requirements->wishes.stops_on_partition && !job.requirements->global;
  }

  // A machine that tells a state of the unit may run it still.
  std::optional<std::string> why_not_yet(const Job& job, std::string_view candidate) const {
    if (!runs_once(job)) return std::nullopt;
    const auto states = cluster_.states.find(job.name);
    if (states == cluster_.states.end()) return std::nullopt;
    for (const auto& [machine, state] : states->second) {
      if (machine != candidate)
        return fmt::format("unit is not yet gone from Machine({})", machine);
    }
    return std::nullopt;
  }

  static bool wants_to_run(const Job& job) {
    return job.unit != nullptr && !job.is_template && !job.requirements->global &&
           job.unit->desired != TargetState::kInactive;
  }

  std::optional<std::string> why_not(const Job& job, const Host& host) const {
    if (job.is_template) return "unit is a template";
    const bool is_there = host.jobs.contains(job.name);
    std::optional<std::string> why =
        job.requirements->global
            ? placement_.why_not_global(job, host)
            : placement_.why_not(job, host,
                                 is_there ? Placement::Mode::kStay : Placement::Mode::kMoveIn);
    if (!why && !is_there) why = why_not_yet(job, {});
    // That of the metadata alone says too little to act on.
    const auto metadata = job.requirements->why_not_metadata(host.metadata);
    if (why == "local Machine metadata insufficient" && metadata) *why += ": " + *metadata;
    return why;
  }

  bool check_scheduled() {
    bool is_changed = false;
    for (bool again = true; again;) {
      again = false;
      for (Entry& entry : entries_) {
        if (entry.job.machine.empty() || entry.job.is_frozen) continue;
        if (const auto why = why_leave(entry.job)) {
          take_off(entry, *why, cause_of(entry.job));
          again = true;
        } else if (!entry.job.requirements->replaces.empty()) {
          again |= push_off_replaced(entry.job);
        }
      }
      is_changed |= again;
    }
    return is_changed;
  }

  std::optional<std::string> why_leave(const Job& job) {
    if (job.unit == nullptr) return "unit does not exist any more";
    if (job.unit->desired == TargetState::kInactive) return "target state inactive";
    if (job.is_template) return "unit is a template";
    if (job.requirements->global) return "unit is global";
    Host* host = placement_.find_host(job.machine);
    if (host == nullptr) {
      const bool is_doubted =
          absence_ == Absence::kDoubted || cluster_.unreadable_machines.contains(job.machine);
      if (is_doubted) return std::nullopt;
      return fmt::format("target Machine({}) went away", job.machine);
    }
    if (const auto why = placement_.why_not(job, *host, Placement::Mode::kStay)) {
      return fmt::format("target Machine({}) unable to run unit: {}", job.machine, *why);
    }
    return std::nullopt;
  }

  // Only the unit that has Replaces= acts, so that it is never the one to go.
  bool push_off_replaced(const Job& replacer) {
    const Host* host = placement_.find_host(replacer.machine);
    if (host == nullptr) return false;
    std::vector<const Job*> replaced;
    for (const auto& [name, other] : host->jobs) {
      if (!other->is_frozen && placement_.replaces(replacer, *other)) replaced.push_back(other);
    }
    for (const Job* other : replaced) {
      Entry& entry = *find_entry(other->name);
      take_off(entry,
               fmt::format("target Machine({}) unable to run unit: found replace with "
                           "locally-scheduled Unit({})",
                           replacer.machine, replacer.name),
               Decision::Cause::kUnableToRun);
    }
    return !replaced.empty();
  }

  Entry* find_entry(std::string_view name) {
    const auto found =
        std::lower_bound(entries_.begin(), entries_.end(), name,
                         [](const Entry& entry, std::string_view n) { return entry.job.name < n; });
    return found != entries_.end() && found->job.name == name ? &*found : nullptr;
  }

  // Requires: why_leave() says that it has to.
  Decision::Cause cause_of(const Job& job) {
    if (!wants_to_run(job)) return Decision::Cause::kOther;
    return placement_.find_host(job.machine) == nullptr ? Decision::Cause::kMachineAway
                                                        : Decision::Cause::kUnableToRun;
  }

  void take_off(Entry& entry, std::string why, Decision::Cause cause) {
    if (entry.job.machine == entry.before) {
      entry.why_removed = std::move(why);
      entry.cause = cause;
    }
    placement_.remove(entry.job);
  }

  // From machines that are being drained to others that can take them. What may run twice goes on
  // where it is until it runs at the new place.
  bool drain() {
    bool is_changed = false;
    for (Entry& entry : entries_) {
      Job& job = entry.job;
      Host* host = placement_.find_host(job.machine);
      if (host == nullptr || host->cordon != registry::Cordon::kDraining || job.is_frozen) continue;
      Host* target = placement_.find_machine_for(job);
      if (target == nullptr) continue;
      is_changed = true;
      if (job.machine == entry.before && !runs_once(job)) entry.handed_over_by = entry.before;
      take_off(entry, "machine is being drained", Decision::Cause::kOther);
      if (!runs_once(job)) placement_.place(job, *target);
    }
    return is_changed;
  }

  bool place_pending() {
    bool is_changed = false;
    for (Entry& entry : entries_) {
      Job& job = entry.job;
      if (!job.machine.empty() || job.is_frozen || !wants_to_run(job)) continue;
      // What must not run twice is not placed in the pass that takes it off: only then can nobody
      // have been allowed to start it meanwhile.
      if (runs_once(job) && (!entry.before.empty() || why_not_yet(job, {}))) continue;
      Host* host = placement_.find_machine_for(job);
      if (host == nullptr) continue;
      placement_.place(job, *host);
      is_changed = true;
    }
    return is_changed;
  }

  void conclude() {
    for (const Entry& entry : entries_) {
      if (entry.job.is_frozen) continue;
      for (const std::string_view machine : entry.doubles) {
        add(Decision::Kind::kUnschedule, entry.job.name, machine,
            fmt::format("unit is also scheduled to Machine({})", entry.before));
      }
      const bool is_left = !entry.before.empty() && entry.job.machine != entry.before;
      if (is_left && entry.handed_over_by != entry.before) {
        add(Decision::Kind::kUnschedule, entry.job.name, entry.before, entry.why_removed);
        decisions_.back().cause = entry.cause;
      }
    }
    for (const Entry& entry : entries_) {
      const Job& job = entry.job;
      if (job.is_frozen || job.machine.empty()) continue;
      if (job.machine != entry.before) {
        add(Decision::Kind::kSchedule, job.name, job.machine,
            fmt::format("target state {} and unit not scheduled", to_string(job.unit->desired)));
      } else {
        conclude_update(job);
      }
    }
  }

  void conclude_update(const Job& job) {
    const auto& record =
        cluster_.schedule.find(job.name)->second.find(std::string(job.machine))->second;
    if (record.hash != job.unit->hash) {
      add(Decision::Kind::kUpdate, job.name, job.machine, "unit was overwritten");
    } else if (record.target != job.unit->desired) {
      add(Decision::Kind::kUpdate, job.name, job.machine,
          fmt::format("target state {}", to_string(job.unit->desired)));
    }
  }

  void decide_globals() {
    for (const Entry& entry : entries_) {
      const Job& job = entry.job;
      if (job.is_frozen || !is_active_global(job)) continue;
      const auto record = cluster_.globals.find(job.name);
      const bool is_right = record != cluster_.globals.end() &&
                            record->second.hash == job.unit->hash &&
                            record->second.target == job.unit->desired;
      if (!is_right) {
        add(Decision::Kind::kPutGlobal, job.name, {},
            fmt::format("target state {}", to_string(job.unit->desired)));
      }
    }
    for (const auto& [name, record] : cluster_.globals) {
      if (cluster_.unreadable_units.contains(name)) continue;
      const Entry* entry = find_entry(name);
      if (entry != nullptr && is_active_global(entry->job)) continue;
      const bool exists = entry != nullptr && entry->job.unit != nullptr;
      add(Decision::Kind::kRemoveGlobal, name, {},
          !exists                            ? "unit does not exist any more"
          : !entry->job.requirements->global ? "unit is not global any more"
                                             : "target state inactive");
    }
  }

  void add(Decision::Kind kind, std::string_view unit, std::string_view machine,
           std::string reason) {
    decisions_.push_back({kind, std::string(unit), std::string(machine), std::move(reason),
                          Decision::Cause::kOther});
  }

  const Cluster& cluster_;
  const Absence absence_;
  std::deque<Entry> entries_;  // by name; never moved, as the placement points to the jobs
  Placement placement_;
  std::vector<Decision> decisions_;
};

}  // namespace

std::string_view to_string(Decision::Kind kind) {
  switch (kind) {
    case Decision::Kind::kUnschedule:
      return "UnscheduleUnit";
    case Decision::Kind::kSchedule:
      return "AttemptScheduleUnit";
    case Decision::Kind::kUpdate:
      return "UpdateUnit";
    case Decision::Kind::kPutGlobal:
      return "PutGlobalUnit";
    case Decision::Kind::kRemoveGlobal:
      return "RemoveGlobalUnit";
  }
  return "";
}

const unit::FleetRequirements& RequirementsCache::of(const Unit& unit) {
  Entry& entry = entries_[unit.name];
  if (entry.hash != unit.hash || unit.hash.empty()) {
    entry.hash = unit.hash;
    entry.requirements = unit::extract_requirements(unit.options, unit.name);
  }
  return entry.requirements;
}

void RequirementsCache::prune(const Cluster& cluster) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    it = cluster.units.contains(it->first) ? std::next(it) : entries_.erase(it);
  }
}

std::vector<Decision> decide(const Cluster& cluster, RequirementsCache& requirements,
                             Absence absence, size_t* unplaced) {
  Pass pass(cluster, requirements, absence);
  std::vector<Decision> decisions = pass.run();
  if (unplaced != nullptr) *unplaced = pass.unplaced();
  return decisions;
}

std::vector<Verdict> explain(const Cluster& cluster, RequirementsCache& requirements,
                             std::string_view unit) {
  return Pass(cluster, requirements, Absence::kTrusted).explain(unit);
}

registry::ScheduleEntry schedule_entry_of(const Unit& unit, std::string machine) {
  registry::ScheduleEntry entry;
  entry.name = unit.name;
  entry.machine = std::move(machine);
  entry.hash = unit.hash;
  entry.text = unit::serialize(unit.options);
  entry.target = unit.desired;
  return entry;
}

registry::GlobalEntry global_entry_of(const Unit& unit) {
  registry::GlobalEntry entry;
  entry.name = unit.name;
  entry.hash = unit.hash;
  entry.text = unit::serialize(unit.options);
  entry.target = unit.desired;
  return entry;
}

void apply_decisions(Cluster& cluster, const std::vector<Decision>& decisions) {
  for (const Decision& decision : decisions) {
    switch (decision.kind) {
      case Decision::Kind::kUnschedule: {
        const auto found = cluster.schedule.find(decision.unit);
        if (found == cluster.schedule.end()) break;
        found->second.erase(decision.machine);
        if (found->second.empty()) cluster.schedule.erase(found);
        break;
      }
      case Decision::Kind::kSchedule:
      case Decision::Kind::kUpdate:
        cluster.schedule[decision.unit][decision.machine] =
            schedule_entry_of(cluster.units.at(decision.unit), decision.machine);
        break;
      case Decision::Kind::kPutGlobal:
        cluster.globals[decision.unit] = global_entry_of(cluster.units.at(decision.unit));
        break;
      case Decision::Kind::kRemoveGlobal:
        cluster.globals.erase(decision.unit);
        break;
    }
  }
}

}  // namespace flotilla::engine
