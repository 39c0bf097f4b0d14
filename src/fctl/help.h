// The help of fleetctl and of its verbs, in fleet's layout. Pure.
#pragma once

#include <string>

#include "fctl/commands.h"

namespace flotilla::fctl {

// Of `fleetctl help` and `--help`.
std::string help_text();
// Of `fleetctl` without a word, which has a layout of its own and does not show deprecated verbs.
std::string short_help_text();
std::string help_text(const Command& command);

}  // namespace flotilla::fctl
