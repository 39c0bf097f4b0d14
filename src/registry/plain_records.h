// The records of which a cluster has many, as this version writes them, read fast. Nothing: the
// record is of another form, or has members that this version does not know, or is bad; the whole
// parser of codec.cc tells which.
#pragma once

#include <optional>
#include <string_view>

#include "registry/objects.h"

namespace flotilla::registry {

// As decode_unit() and its like. The hash of a unit is not filled in.
std::optional<Unit> read_plain_unit(std::string_view record);
std::optional<ScheduleEntry> read_plain_schedule_entry(std::string_view record, bool with_text);
std::optional<UnitState> read_plain_unit_state(std::string_view record);

}  // namespace flotilla::registry
