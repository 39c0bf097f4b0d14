// The entities of the API as JSON, from the cluster. Pure.
#pragma once

#include "api/json_text.h"
#include "registry/objects.h"

namespace flotilla::api {

// A list shows every unit's current state; a single answer leaves it out for a global unit. A brief
// list leaves the options out.
enum class UnitShape { kSingle, kListed, kBrief };

void append_unit(JsonText& json, const registry::Cluster& cluster, const registry::Unit& unit,
                 UnitShape shape);
void append_state(JsonText& json, const registry::UnitState& state);
void append_machine(JsonText& json, const registry::Cluster& cluster,
                    const registry::Machine& machine);

}  // namespace flotilla::api
