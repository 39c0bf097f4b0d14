// What a unit's [X-Fleet] section asks of the machine it runs on. Extracted from the options and
// the unit's name; read by the engine, the agent, the API and fleetctl. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "unit/fleet_file.h"
#include "unit/metadata_rule.h"
#include "unit/placement_wishes.h"

namespace flotilla::unit {

struct FleetRequirements {
  std::optional<std::string> machine_id;  // whole, or its first 8 characters
  // MachineOf: names of units that must be on the same machine, or patterns for fleet_glob: one
  // that matches must be.
  std::vector<std::string> peers;
  std::vector<std::string> conflicts;  // patterns for fleet_glob
  std::vector<std::string> replaces;   // patterns for fleet_glob
  // Every key must have one of its values ("=", "==") ...
  std::map<std::string, std::set<std::string>> metadata;
  // ... and every rule with another operator must hold.
  std::map<std::string, std::vector<MetadataRule>> metadata_rules;
  bool global = false;
  PlacementWishes wishes;
  std::vector<std::string> unknown;  // keys of [X-Fleet] that mean nothing, in order, each once

  bool operator==(const FleetRequirements&) const = default;

  // The unit may run where the machine has this id; true if no id is asked for.
  bool allows_machine(std::string_view id) const;
  bool allows_metadata(const std::map<std::string, std::string>& machine) const;
  // What of the metadata is missing or wrong, for people; nothing if they are allowed.
  std::optional<std::string> why_not_metadata(
      const std::map<std::string, std::string>& machine) const;
  bool conflicts_with(std::string_view unit_name) const;    // this side's patterns only
  bool wants_to_replace(std::string_view unit_name) const;  // this side's patterns only
};

// With an empty unit name specifiers are left as they are.
FleetRequirements extract_requirements(const std::vector<UnitOption>& options,
                                       std::string_view unit_name);

// What the API asks of the options of a new unit: they survive fleet's parser, and the requirements
// do not contradict each other. Errors: kInvalid with fleet's text, the first that applies in order
// of appearance; kTooLarge for more peers and patterns than can be compared in a moment.
base::Status validate_fleet_options(const std::vector<UnitOption>& options);

}  // namespace flotilla::unit
