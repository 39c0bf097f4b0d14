// What a unit's [X-Fleet] section wishes beyond fleet's own options: how it counts and is spread,
// what it needs of a machine, and what becomes of it when its machine is cut off. All off unless
// asked for. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "unit/metadata_rule.h"

namespace flotilla::unit {

struct PlacementWishes {
  uint32_t weight = 1;           // Weight=: counts as so many units
  uint32_t max_per_machine = 0;  // MaxPerMachine=: of the units of one template; 0: any number
  std::string spread;            // Spread=: evenly over the values of this metadata key
  std::vector<std::pair<std::string, MetadataRule>> prefer;  // Prefer=: key and what it should be
  uint64_t cpu_millis = 0;                                   // CPU=: thousandths of a processor
  uint64_t memory_bytes = 0;                                 // Memory=
  uint64_t disk_bytes = 0;                                   // Disk=
  bool stops_on_partition = false;                           // OnPartition=stop
  uint32_t reschedules = 0;  // RescheduleOnFailure=: moves at most so often when it has failed

  bool asks_for_capacity() const { return cpu_millis != 0 || memory_bytes != 0 || disk_bytes != 0; }
  bool operator==(const PlacementWishes&) const = default;
};

bool is_placement_wish(std::string_view key);

// One line of the section. Errors: kInvalid with key, what is expected, and the text; `wishes` is
// as before then. Requires: is_placement_wish(key).
base::Status read_placement_wish(std::string_view key, std::string_view value,
                                 PlacementWishes& wishes);

}  // namespace flotilla::unit
