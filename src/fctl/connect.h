// A connection to the API that the flags name: through the tunnel if there is one.
#pragma once

#include <memory>

#include "client/fleet_api.h"
#include "fctl/environment.h"
#include "fctl/flags.h"

namespace flotilla::fctl {

base::Result<std::shared_ptr<client::FleetApi>> connect(const Flags& flags,
                                                        const Environment& environment);

}  // namespace flotilla::fctl
