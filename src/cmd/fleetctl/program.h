// fleetctl in the real world: what fleetctl and fleetctl-etcd have in common.
#pragma once

#include "fctl/environment.h"

namespace flotilla::cmd {

using ConnectEtcd = decltype(fctl::Environment::connect_etcd);

// Returns the exit code.
int run_fleetctl(int argc, char** argv, fctl::Pacer& pacer, const ConnectEtcd& connect_etcd);

}  // namespace flotilla::cmd
