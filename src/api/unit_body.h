// The body of PUT /units/NAME, decoded as Go does: names of fields in any case, unknown fields
// passed over, null as if absent, text behind the first value ignored. Pure; bytes come from
// anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "unit/fleet_file.h"

namespace flotilla::api {

struct UnitBody {
  std::string name;
  std::string desired_state;
  std::vector<unit::UnitOption> options;
};

// Errors: kInvalid with the decoder's text ("EOF" for an empty body).
base::Result<UnitBody> decode_unit_body(std::string_view body);

// One edit of PATCH /machines: {"op":..,"path":..,"value":{"value":..}}.
struct MachineEdit {
  std::string op;
  std::string path;
  std::string value;
};
base::Result<std::vector<MachineEdit>> decode_machine_edits(std::string_view body);

}  // namespace flotilla::api
