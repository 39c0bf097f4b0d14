// Reads what the store has about one unit, for who has no ClusterView at hand: a few records
// instead of a whole cluster's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::registry {

// Calls `done` once, in a later turn, with the cluster as far as it is about the unit, all at one
// revision: its record, history and states, its places and the machines there; and those of
// `machines` that are there. With nothing if only the view can tell: the store did not answer, a
// record is unreadable, or the unit is meant to run and no machine that is there has it.
//
// A unit that is not meant to run any more and whose machine has gone may still have a place there,
// which is not seen. Nor is one that a unit is leaving and that tells nothing of it; which of two
// places machine_of() names is the same.
//
// Requires: `store` outlives the call of `done`, or is destroyed before, when it is never called.
void read_unit(store::Store& store, const std::string& prefix, const std::string& unit,
               std::vector<std::string> machines, std::function<void(std::optional<Cluster>)> done);

}  // namespace flotilla::registry
