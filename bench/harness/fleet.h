// fleetd on a benchmark's machine, and just enough HTTP over its unix socket to drive it.
#pragma once

#include <string>

#include "harness/machine.h"

namespace flotilla::bench {

// fleetd.service, with everything it keeps below `folder`; its registry too, unless one is given as
// in fleet.conf.
UnitFile fleetd_unit(const std::string& folder, const std::string& registry = "");
// Waits until the API answers and the machine is there; ends the program with a sentence after 30
// s.
void wait_for_api(const std::string& folder);
// The status code of a PUT with a JSON body, on a connection that is kept.
int put(const std::string& folder, const std::string& path, const std::string& body);
// The body of a GET, or an empty string if there is no answer of status 200.
std::string get(const std::string& folder, const std::string& path);

}  // namespace flotilla::bench
