#include "cmd/fleetd/state_dump.h"

#include "api/json_text.h"
#include "registry/objects.h"

namespace flotilla::fleetd {

std::string state_dump(const std::string& machine,
                       const std::map<std::string, agent::LocalUnit>& units,
                       const std::map<std::string, agent::Difference>& differences) {
  api::JsonText json;
  json.begin_object().key("Agent").begin_object().key("Cache").begin_object();
  json.key("TargetStates").begin_object();
  for (const auto& [name, unit] : units) json.key(name).text(registry::to_string(unit.reached));
  json.end_object().end_object().end_object();
  json.key("UnitStatePublisher").begin_object().key("Cache").begin_object();
  for (const auto& [name, unit] : units) {
    json.key(name).begin_object();
    json.key("LoadState").text(unit.state.load_state);
    json.key("ActiveState").text(unit.state.active_state);
    json.key("SubState").text(unit.state.sub_state);
    json.key("MachineID").text(machine);
    json.key("UnitHash").text(unit.hash);
    json.key("UnitName").text("").end_object();
  }
  json.end_object().key("ToPublish").begin_object().end_object().end_object();
  json.key("UnitStateGenerator").begin_object().key("Subscribed").begin_array();
  for (const auto& [name, unit] : units) json.text(name);
  json.end_array().end_object();
  if (!differences.empty()) {
    json.key("Differences").begin_object();
    for (const auto& [name, difference] : differences) {
      json.key(name).begin_object();
      json.key("Wanted").text(registry::to_string(difference.wanted));
      json.key("Reached").text(registry::to_string(difference.reached));
      json.key("Text").text(difference.is_other_text ? "another" : "same");
      json.key("Problem").text(difference.problem).end_object();
    }
    json.end_object();
  }
  json.end_object();
  return std::move(json).str();
}

}  // namespace flotilla::fleetd
