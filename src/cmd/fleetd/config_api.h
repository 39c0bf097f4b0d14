// The options about the API towards the network: TLS, who may do what, where others find it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cmd/fleetd/config.h"

namespace flotilla::fleetd {

// One option of those that begin with "api_", as apply_option().
base::Status apply_api_option(Config& config, std::string_view where, std::string_view key,
                              std::string_view value);

// Whether they fit together and their files can be used; where no address is announced, sets that
// of the first TLS listener. `where_of` says where an option was given. Blocks.
base::Status check_api_options(Config& config,
                               const std::function<std::string(const std::string& key)>& where_of);

}  // namespace flotilla::fleetd
