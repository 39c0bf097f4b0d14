// Whether a unit has come up with its present text. Judged from the states that machines report,
// which carry the hash of the text they are about.
#pragma once

#include "fctl/context.h"

namespace flotilla::fctl {

enum class Arrival { kPending, kThere, kFailed };

// `states` are all of the unit; `wanted` is its desired state, `hash` that of its text. A unit that
// is to be inactive is there at once; a oneshot that has ended is there. Pure.
Arrival judge_arrival(const std::vector<client::UnitState>& states, const client::Unit& unit);

// Waits for it. Once the text is on its machines, a unit that has failed has two seconds left, or
// the attempts of `patience`, and one that is not started ten; one that has arrived must stay for a
// second, since a program that ends at once is active for a moment. Errors: kConflict if it has
// failed, kTimedOut.
base::Status wait_for_arrival(Context& context, const client::Unit& unit, Patience patience);

}  // namespace flotilla::fctl
