#include "registry/objects.h"

namespace flotilla::registry {

std::string_view to_string(TargetState state) {
  switch (state) {
    case TargetState::kInactive:
      return "inactive";
    case TargetState::kLoaded:
      return "loaded";
    case TargetState::kLaunched:
      return "launched";
  }
  return "inactive";
}

base::Result<TargetState> parse_target_state(std::string_view word) {
  for (const TargetState state :
       {TargetState::kInactive, TargetState::kLoaded, TargetState::kLaunched}) {
    if (word == to_string(state)) return state;
  }
  return base::invalid("invalid value \"{}\" for JobState", word);
}

Metadata merged_metadata(const Metadata& own, const Metadata& edits) {
  Metadata merged = own;
  for (const auto& [key, value] : edits) {
    if (value.empty()) {
      merged.erase(key);
    } else {
      merged[key] = value;
    }
  }
  return merged;
}

const std::string* Cluster::machine_of(std::string_view unit) const {
  const auto found = schedule.find(unit);
  if (found == schedule.end() || found->second.empty()) return nullptr;
  const auto& places = found->second;
  for (const auto& [machine, entry] : places) {
    if (entry.is_leaving && find_state(unit, machine) != nullptr) return &machine.str();
  }
  for (const auto& [machine, entry] : places) {
    if (!entry.is_leaving) return &machine.str();
  }
  return &places.begin()->first.str();
}

const UnitHistory* Cluster::find_finished(std::string_view unit) const {
  const auto history = histories.find(unit);
  if (history == histories.end() || history->second.finished_on.empty()) return nullptr;
  const auto record = units.find(unit);
  const bool is_meant = record != units.end() && record->second.desired == TargetState::kLaunched &&
                        record->second.hash == history->second.hash;
  return is_meant ? &history->second : nullptr;
}

const UnitState* Cluster::find_state(std::string_view unit, std::string_view machine) const {
  const auto of_unit = states.find(unit);
  if (of_unit == states.end()) return nullptr;
  const auto state = of_unit->second.find(machine);
  return state == of_unit->second.end() ? nullptr : &state->second;
}

TargetState Cluster::current_state(std::string_view unit) const {
  if (find_finished(unit) != nullptr) return TargetState::kLaunched;
  const std::string* machine = machine_of(unit);
  const UnitState* state = machine == nullptr ? nullptr : find_state(unit, *machine);
  // Without a hash it could not be loaded.
  if (state == nullptr || state->hash.empty()) return TargetState::kInactive;
  // Until the agent has taken up an overwritten unit, its old copy says nothing about the new one.
  const auto record = units.find(unit);
  if (record != units.end() && record->second.hash != state->hash) return TargetState::kInactive;
  return state->launched ? TargetState::kLaunched : TargetState::kLoaded;
}

Metadata Cluster::metadata_of(const Machine& machine) const {
  const auto edits = metadata_edits.find(machine.id);
  return edits == metadata_edits.end() ? machine.metadata
                                       : merged_metadata(machine.metadata, edits->second);
}

}  // namespace flotilla::registry
