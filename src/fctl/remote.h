// Programs run on machines of the cluster: here if the machine is this one, else over SSH. What
// status, journal and restart fall back to where the API cannot reach a machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

// Runs the words on the machine, with our standard input and output. Returns the program's exit
// status. Errors have the whole line to print: "Unable to SSH to remote host: ...".
base::Result<int> run_on_machine(Context& context, const std::string& machine_id,
                                 const std::vector<std::string>& words);

// Whether a failed request to a unit's machine may be made good by SSH: the machine was not
// reached, or its API knows no such request. Otherwise the answer stands.
bool may_fall_back(const base::Error& error);
// The same of what must not be done twice: nobody has got the request.
bool is_surely_undone(const base::Error& error);

// The machine whose id begins so. Errors: "machine does not exist", "found more than one machine".
base::Result<client::Machine> find_machine(Context& context, const std::string& beginning);

// The ids of the machines that a unit is asked for on: the one it is scheduled to, or for a global
// unit all that report a state; of these, the one of --machine. A unit that is on none gives none.
base::Result<std::vector<std::string>> machines_of(Context& context, const client::Unit& unit);

}  // namespace flotilla::fctl
