// Units that can leave a machine only together: those that others there follow (MachineOf=), with
// their followers. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/wish_ledger.h"

namespace flotilla::engine {

struct Party {
  std::vector<std::string> units;  // each behind those that it follows
  // Followed by another of them, by the place in `units`.
  std::vector<bool> is_followed;
};

// Of the units that are on one machine, those that follow or are followed there; all others can go
// by themselves. Units that follow each other in a ring are in no order. Requires: the
// units are in order, and `wants` has them.
std::vector<Party> parties_among(const std::vector<std::string>& units,
                                 const WishLedger::Wants& wants);

}  // namespace flotilla::engine
