// What fleet prints to standard output for SIGUSR1: the agent's memory as one line of JSON.
#pragma once

#include <map>
#include <string>

#include "agent/agent_manager.h"

namespace flotilla::fleetd {

std::string state_dump(const std::string& machine,
                       const std::map<std::string, agent::LocalUnit>& units,
                       const std::map<std::string, agent::Difference>& differences);

}  // namespace flotilla::fleetd
