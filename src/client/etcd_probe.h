// Whether what listens at an endpoint is no API but etcd itself: people name its addresses where
// fleetctl asks for the API's.
#pragma once

#include <string_view>

#include "client/transport.h"

namespace flotilla::client {

// Asks for /version, which fleetd answers with an error. False where nothing answers. Blocks.
bool is_etcd(Transport& transport);

// Whether that is how etcd answers: a JSON object with "etcdserver". Pure.
bool is_etcd_version(std::string_view body);

}  // namespace flotilla::client
