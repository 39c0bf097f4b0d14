// The system calls that a process may make: Restrict*=, SystemCallFilter= and their kin as seccomp
// filters, made with libseccomp. For flotilla-exec, right before the program is executed: a filter
// holds from here on.
#pragma once

#include "base/result.h"
#include "sandbox/settings.h"

namespace flotilla::sandbox {

// Whether any setting needs a filter; the process then gives up new privileges unless it may do
// without.
bool needs_seccomp(const Settings& settings);
// Whether the kernel has filters. Without, the settings have no effect.
bool is_seccomp_available();

// RestrictAddressFamilies= alone: its failure has an exit code of its own.
base::Status restrict_address_families(const Settings& settings);
// All the others but SystemCallFilter=.
base::Status restrict_calls(const Settings& settings);
// SystemCallFilter=, the last of all: it may forbid what the others need.
base::Status filter_system_calls(const Settings& settings);

}  // namespace flotilla::sandbox
