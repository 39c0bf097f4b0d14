// Who this machine and this daemon are: ids kept in the state directory, and the lock that makes
// the directory one daemon's.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "cmd/fleetd/config.h"
#include "registry/objects.h"

namespace flotilla::fleetd {

// Makes the directory (0755) and takes its lock, which lasts as long as the descriptor.
// kUnavailable if another daemon holds it.
base::Result<base::Fd> lock_state_dir(const std::string& directory);

// The record under which this machine registers. Requires: the state directory is locked.
base::Result<registry::Machine> make_machine(const Config& config);

// The IPv4 address of the default route's interface, or "".
std::string default_public_ip();

}  // namespace flotilla::fleetd
