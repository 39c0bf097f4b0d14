// Waiting until units have reached a state, as fleetctl does: attempts of two seconds, each unit's
// line printed as soon as it is there.
#pragma once

#include <string>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

// Waits for every unit's current state and prints "Unit X STATE[ on MACHINE]" for each. Prints
// "Error waiting for units: ..." and fails at the first unit whose attempts are used up.
base::Status wait_for_states(Context& context, const std::vector<std::string>& names,
                             const std::string& state, Patience patience);

// What `load`, `start`, `stop` and `unload` do behind their request: wait, or with --no-block print
// "Triggered unit X COMMAND".
base::Status settle_states(Context& context, const std::vector<std::string>& names,
                           const std::string& command, const std::string& state, Patience patience);

// Waits until systemd's state of each unit is loaded and active. The time without a change for the
// better is at most 2 seconds, whatever the patience: a unit that has failed is not waited for.
base::Status wait_until_active(Context& context, const std::vector<std::string>& names,
                               Patience patience);

// Waits until the unit and its states are gone.
base::Status wait_until_gone(Context& context, const std::string& name, Patience patience);

// "113f16a7.../192.0.2.10": the first 8 characters (the whole id if `full`) and the address, if
// known.
std::string machine_label(const client::Machine& machine, bool full);

}  // namespace flotilla::fctl
