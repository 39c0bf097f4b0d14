// What a user should know of a unit where it is scheduled, besides whether it may run there: that
// the machine has not come to what is wanted, and why; that it has failed and is moved. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/decision.h"

namespace flotilla::engine {

// What keeps the leader from believing that machines are gone.
enum class Holding : uint8_t { kNothing, kStorm };

// Notes it at the verdict of the machine. One that is scheduled to a machine which is away gets a
// verdict more.
void add_notes(const registry::Cluster& cluster, std::string_view unit, Holding holding,
               std::vector<Verdict>& verdicts);

}  // namespace flotilla::engine
