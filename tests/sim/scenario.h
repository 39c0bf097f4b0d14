// A random life of a cluster: users at work, and everything that can break, breaking. Then all is
// mended, and after a while everything must be as it should be.
#pragma once

#include <string>
#include <vector>

#include "sim/world.h"

namespace flotilla::sim {

struct ScenarioOptions {
  WorldOptions world;
  int steps = 40;
  size_t units = 18;
};

// The options that belong to a seed: most clusters are small, a few have hundreds of machines.
ScenarioOptions scenario_of(uint64_t seed);

// What was seen that must never happen; nothing, if all is well.
std::vector<std::string> run_scenario(const ScenarioOptions& options);

}  // namespace flotilla::sim
