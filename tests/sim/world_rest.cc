// What must hold in a cluster in which nothing has happened for a while.
#include <fmt/format.h>

#include <algorithm>

#include "engine/rebalance.h"
#include "sim/world.h"
#include "unit/fleet_file.h"
#include "unit/fleet_requirements.h"
#include "unit/oneshot.h"

namespace flotilla::sim {

using registry::TargetState;

void World::check_at_rest() {
  const registry::Cluster& cluster = truth_.cluster();
  check_requests_at_rest();
  if (leader() == nullptr) violate("at rest nobody leads");
  for (const auto& [name, unit] : cluster.units) check_unit_at_rest(unit);
  for (const auto& [name, machines] : cluster.schedule) {
    if (!cluster.units.contains(name)) violate(fmt::format("{} is scheduled but gone", name));
  }
  for (size_t i = 0; i < options_.machines; ++i) {
    check_machine_at_rest(*machines_[i]);
    const bool has_twin = options_.has_twin && i == 0;
    if (machines_[i]->refusals() > 0 && !has_twin) {
      violate(fmt::format("{} was refused although nobody else has its id", machines_[i]->id()));
    }
  }
  for (const engine::Decision& decision : engine::decide(cluster)) {
    violate(fmt::format("at rest there is something left to decide: {} {} {} ({})",
                        engine::to_string(decision.kind), decision.unit, decision.machine,
                        decision.reason));
  }
}

void World::check_unit_at_rest(const registry::Unit& unit) {
  const registry::Cluster& cluster = truth_.cluster();
  const auto wants = unit::extract_requirements(unit.options, unit.name);
  const auto entry = cluster.schedule.find(unit.name);
  const bool is_scheduled = entry != cluster.schedule.end();
  if (unit.desired == TargetState::kInactive || wants.global) {
    if (is_scheduled) violate(fmt::format("{} is scheduled and should not be", unit.name));
    return;
  }
  if (!is_scheduled) {
    for (const engine::Verdict& verdict : engine::explain(cluster, unit.name)) {
      if (verdict.why_not.empty()) {
        violate(fmt::format("{} waits although {} can take it", unit.name, verdict.machine));
      }
    }
    return;
  }
  if (entry->second.size() != 1) {
    return violate(fmt::format("{} is scheduled {} times", unit.name, entry->second.size()));
  }
  const auto& [id, record] = *entry->second.begin();
  const auto machine = cluster.machines.find(id);
  if (machine == cluster.machines.end()) {
    return violate(fmt::format("{} is scheduled to {}, which is away", unit.name, id));
  }
  if (!wants.allows_metadata(cluster.metadata_of(machine->second))) {
    violate(fmt::format("{} is on {} against its metadata", unit.name, id));
  }
  for (const auto& [other, machines] : cluster.schedule) {
    if (other == unit.name || !machines.contains(id)) continue;
    if (wants.conflicts_with(other)) {
      violate(fmt::format("{} is beside {} on {}", unit.name, other, id));
    }
    if (wants.wants_to_replace(other)) {
      violate(fmt::format("{} is beside {} on {}, which it replaces", unit.name, other, id));
    }
  }
  for (const std::string& peer : wants.peers) {
    const auto at = cluster.schedule.find(peer);
    if (at == cluster.schedule.end() || !at->second.contains(id)) {
      violate(fmt::format("{} is on {} without {}", unit.name, id, peer));
    }
  }
}

// Requests are within what machines have, and no machine has more of a template than it may.
void World::check_requests_at_rest() {
  const registry::Cluster& cluster = truth_.cluster();
  std::map<std::string, uint64_t> used;
  std::map<std::pair<std::string, std::string>, uint32_t> instances;
  for (const auto& [name, unit] : cluster.units) {
    const std::string* machine = cluster.machine_of(name);
    if (machine == nullptr || unit.desired == TargetState::kInactive) continue;
    const auto wishes = unit::extract_requirements(unit.options, name).wishes;
    used[*machine] += wishes.cpu_millis;
    if (wishes.max_per_machine == 0) continue;
    const std::string kind = name.str().substr(0, name.str().find('@'));
    if (++instances[{*machine, kind}] > wishes.max_per_machine) {
      violate(fmt::format("{} has more than {} of {}", *machine, wishes.max_per_machine, kind));
    }
  }
  for (const auto& [machine, millis] : used) {
    if (millis > 1000 * kCpus) violate(fmt::format("{} has promised {} m of CPU", machine, millis));
  }
}

bool World::is_even() const {
  if (truth_.cluster().wants_rebalance) return false;
  const auto moves = engine::plan_rebalance(truth_.cluster());
  return std::all_of(moves.begin(), moves.end(),
                     [](const registry::Move& move) { return move.unit == kFrail; });
}

void World::check_even() {
  if (truth_.cluster().wants_rebalance) violate("rebalancing never ended");
  for (const registry::Move& move : engine::plan_rebalance(truth_.cluster())) {
    if (move.unit == kFrail) continue;  // it comes back from where it fails
    violate(fmt::format("after rebalancing {} on {} would be better on {}: {}", move.unit,
                        move.from, move.to, move.why));
  }
}

// What has failed has been moved as often as it may, or nobody else can take it.
void World::check_frail_at_rest(const Machine& machine, const registry::Unit& unit) {
  const registry::Cluster& cluster = truth_.cluster();
  if (unit.desired != TargetState::kLaunched || machine.runs(unit.name)) return;
  const auto history = cluster.histories.find(unit.name);
  if (history != cluster.histories.end() && history->second.moves >= kFrailMoves) return;
  for (const engine::Verdict& verdict : engine::explain(cluster, unit.name)) {
    if (verdict.machine == machine.id() || !verdict.why_not.empty()) continue;
    violate(fmt::format("{} has failed on {} and is not moved to {}", unit.name, machine.id(),
                        verdict.machine));
  }
}

void World::check_machine_at_rest(const Machine& machine) {
  const registry::Cluster& cluster = truth_.cluster();
  if (!cluster.machines.contains(machine.id())) {
    return violate(fmt::format("at rest {} is not registered", machine.id()));
  }
  for (const auto& [name, unit] : cluster.units) {
    const auto entry = cluster.schedule.find(name);
    const bool is_here = entry != cluster.schedule.end() && entry->second.contains(machine.id());
    const bool is_global = unit::extract_requirements(unit.options, name).global;
    if (!is_here && !is_global) continue;
    if (is_global) continue;
    const bool is_job = unit::is_oneshot(unit.options);
    const bool may_have_failed = name == kFrail;
    const bool should_run = unit.desired == TargetState::kLaunched && !is_job;
    if (is_job && unit.desired == TargetState::kLaunched && !cluster.find_finished(name)) {
      violate(fmt::format("{} has ended on {}, and nobody knows", name, machine.id()));
    }
    auto& real = const_cast<Machine&>(machine);
    if (may_have_failed) {
      check_frail_at_rest(machine, unit);
    } else if (machine.runs(name) != should_run) {
      violate(fmt::format("{} {} on {}", name, should_run ? "does not run" : "runs", machine.id()));
    }
    // Of what must not run twice the agent says to what it is bound.
    const std::string text = machine.text_of(name);
    const std::string wanted = unit::serialize(unit.options);
    if (may_run_once_only(name) ? !text.starts_with(wanted) : text != wanted) {
      violate(fmt::format("{} has another text on {}", name, machine.id()));
    }
    const registry::UnitState* told = cluster.find_state(name, machine.id());
    const auto& there = real.manager()->state_of(name).active_state;
    if (told == nullptr) {
      violate(fmt::format("{} tells no state of {}", machine.id(), name));
    } else if (told->active_state != there) {
      violate(fmt::format("{} tells {} of {}, which is {}", machine.id(), told->active_state, name,
                          there));
    }
  }
  for (const std::string& name : machine.touched_units()) {
    if (!machine.runs(name) || name == agent::kLeaseUnit) continue;
    const auto unit = cluster.units.find(name);
    const bool is_global = unit != cluster.units.end() &&
                           unit::extract_requirements(unit->second.options, name).global;
    const auto entry = cluster.schedule.find(name);
    const bool is_here = entry != cluster.schedule.end() && entry->second.contains(machine.id());
    if (!is_here && !is_global) {
      violate(fmt::format("{} runs on {} without being scheduled there", name, machine.id()));
    }
  }
}

}  // namespace flotilla::sim
