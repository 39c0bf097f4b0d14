// fleet's warning of a fleetctl that is older than the daemons: of those who work on the registry
// itself. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/objects.h"

namespace flotilla::direct {

// The text, with its line ends, if some machine's version is higher than `own`. Versions that are
// not three numbers are passed over.
std::optional<std::string> version_warning(const std::vector<registry::Machine>& machines,
                                           std::string_view own);

}  // namespace flotilla::direct
