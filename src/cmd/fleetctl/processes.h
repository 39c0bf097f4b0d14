// How fleetctl runs other programs: ssh, and what it falls back to on this machine.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace flotilla::cmd {

// Runs the program, found in PATH, with our descriptors; waits for its end. Interrupts of the
// terminal are the program's meanwhile. Returns its exit status, or 128 and the signal's number.
base::Result<int> execute(const std::vector<std::string>& words);

}  // namespace flotilla::cmd
