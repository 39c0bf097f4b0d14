// Scripts that complete fleetctl's command lines, written from the tables of commands and flags so
// that they are never behind them. Names of units and machines are asked for when they are needed.
// Pure.
#pragma once

#include <string>

namespace flotilla::fctl {

std::string bash_completion();
std::string zsh_completion();

}  // namespace flotilla::fctl
