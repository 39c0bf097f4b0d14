// Waiting until units have reached a state, as fleetctl does: attempts of two seconds, each unit's
// line printed as soon as it is there. Where the server tells of events, they end a pause early.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

// How far the waiting for many is.
struct Standing {
  size_t all = 0;
  size_t left = 0;
};

// Asks `is_done` at once, after each change in the cluster and at times, for the attempts that
// patience has; where `standing` says that many are left, no more often than is of use. Returns
// whether it was done in time; an error of is_done ends the waiting.
base::Result<bool> wait_until(Context& context, Patience patience,
                              const std::function<base::Result<bool>()>& is_done,
                              const std::function<Standing()>& standing = {});

// Waits until every unit is there and inactive, or is global; prints "Unit X inactive" for each.
// Prints "Error waiting for units: ..." and fails at the first unit whose attempts are used up.
base::Status wait_until_created(Context& context, const std::vector<std::string>& names,
                                Patience patience);

// Waits for every unit's current state and prints "Unit X STATE[ on MACHINE]" for each. Fails as
// the one above.
base::Status wait_for_states(Context& context, const std::vector<std::string>& names,
                             const std::string& state, Patience patience);

// What `load`, `start`, `stop` and `unload` do behind their request: wait, or with --no-block print
// "Triggered unit X COMMAND".
base::Status settle_states(Context& context, const std::vector<std::string>& names,
                           const std::string& command, const std::string& state, Patience patience);

// Waits until systemd's state of each unit is loaded and active, and has been for a quarter of a
// second: that long fleet needed to look, and a program that fails at once is active for a moment.
// Of many units less: a share of the time since `began`, when the verb did. The time without a
// change for the better is at most 2 seconds, whatever the patience: a unit that has failed is not
// waited for.
base::Status wait_until_active(Context& context, const std::vector<std::string>& names,
                               Patience patience, std::chrono::milliseconds began);

// Waits until the units and their states are gone. Calls `on_gone` for each as soon as it is.
// Returns those that were not gone in time.
base::Result<std::vector<std::string>> wait_until_gone(
    Context& context, const std::vector<std::string>& names, Patience patience,
    const std::function<void(const std::string&)>& on_gone);

}  // namespace flotilla::fctl
