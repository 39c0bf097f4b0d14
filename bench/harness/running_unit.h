// The records of a unit that runs on a machine, for benchmarks that fill a registry by themselves.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "registry/codec.h"
#include "registry/keys.h"
#include "store/store.h"
#include "unit/fleet_file.h"

namespace flotilla::bench {

// Three writes: the unit, its place and its state there.
inline std::vector<store::Op> running_unit(const registry::Keys& keys, const std::string& name,
                                           std::vector<unit::UnitOption> options,
                                           const std::string& machine) {
  registry::Unit unit;
  unit.options = std::move(options);
  unit.hash = unit::hash_hex(unit.options);
  unit.desired = registry::TargetState::kLaunched;
  registry::ScheduleEntry entry;
  entry.hash = unit.hash;
  entry.text = unit::serialize(unit.options);
  entry.target = unit.desired;
  registry::UnitState state;
  state.hash = unit.hash;
  state.load_state = "loaded";
  state.active_state = "active";
  state.sub_state = "running";
  state.active_enter_usec = 1'700'000'000'000'000;
  state.launched = true;
  return {store::PutOp{keys.unit(name), registry::encode(unit), 0},
          store::PutOp{keys.schedule(machine, name), registry::encode(entry), 0},
          store::PutOp{keys.state(name, machine), registry::encode(state), 0}};
}

}  // namespace flotilla::bench
