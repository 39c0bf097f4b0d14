#include "api/entities.h"

#include "unit/fleet_requirements.h"

namespace flotilla::api {

void append_unit(JsonText& json, const registry::Cluster& cluster, const registry::Unit& unit,
                 UnitShape shape) {
  const bool global = unit::extract_requirements(unit.options, unit.name).global;
  json.begin_object();
  if (!global) {
    json.field("currentState", to_string(cluster.current_state(unit.name)));
  } else if (shape != UnitShape::kSingle) {
    json.field("currentState", to_string(registry::TargetState::kInactive));
  }
  json.field("desiredState", to_string(unit.desired));
  if (const registry::UnitHistory* finished = cluster.find_finished(unit.name)) {
    json.field("finishedOn", finished->finished_on);
    json.key("finishedUsec").number(static_cast<int64_t>(finished->finished_usec & INT64_MAX));
  }
  if (const std::string* machine = cluster.machine_of(unit.name); machine != nullptr && !global) {
    json.field("machineID", *machine);
  }
  json.field("name", unit.name);
  if (!unit.options.empty() && shape != UnitShape::kBrief) {
    json.key("options").begin_array();
    for (const unit::UnitOption& option : unit.options) {
      json.begin_object();
      json.field("name", option.name).field("section", option.section).field("value", option.value);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
}

void append_state(JsonText& json, const registry::UnitState& state) {
  json.begin_object();
  json.field("hash", state.hash).field("machineID", state.machine).field("name", state.name);
  if (!state.problem.empty()) json.field("problem", state.problem);
  if (state.active_enter_usec != 0) {
    json.key("systemdActiveEnterTimestamp").number(static_cast<int64_t>(state.active_enter_usec));
  }
  json.field("systemdActiveState", state.active_state);
  json.field("systemdLoadState", state.load_state);
  json.field("systemdSubState", state.sub_state);
  json.end_object();
}

void append_machine(JsonText& json, const registry::Cluster& cluster,
                    const registry::Machine& machine) {
  json.begin_object().field("id", machine.id);
  const registry::Metadata metadata = cluster.metadata_of(machine);
  if (!metadata.empty()) {
    json.key("metadata").begin_object();
    for (const auto& [key, value] : metadata) json.key(key).text(value);
    json.end_object();
  }
  json.field("primaryIP", machine.public_ip).end_object();
}

}  // namespace flotilla::api
