// Patterns among the unit arguments. The shell expands those that match files; what is left over
// matches units in the registry.
#pragma once

#include "fctl/context.h"

namespace flotilla::fctl {

// Replaces every argument that has "*", "?" or "[" in it, and is no local file, by the names of the
// units in the registry that it matches, with or without ".service" at its end. One that matches
// nothing stays as it is. Asks the registry only if there is such an argument.
base::Status expand_patterns(Context& context);

}  // namespace flotilla::fctl
