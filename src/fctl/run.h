// fleetctl from its words to its exit code.
#pragma once

#include <string>
#include <vector>

#include "fctl/environment.h"

namespace flotilla::fctl {

// Exit codes: 0 done, 1 failed, 2 wrong usage; that of `systemctl status` for status, of the remote
// command for ssh.
int run(const std::vector<std::string>& words, const Environment& environment);

}  // namespace flotilla::fctl
