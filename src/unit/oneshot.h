// Whether a unit's service is one that ends: Type=oneshot, and not active afterwards. Pure.
#pragma once

#include <vector>

#include "unit/fleet_file.h"

namespace flotilla::unit {

bool is_oneshot(const std::vector<UnitOption>& options);

}  // namespace flotilla::unit
