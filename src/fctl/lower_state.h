// What stop and unload share: lower the desired state of units that are in the registry, then wait.
#pragma once

#include <functional>
#include <string>

#include "fctl/context.h"

namespace flotilla::fctl {

struct Lowering {
  std::string verb;   // "stop", "unload"
  std::string done;   // "stopped", "unloaded"
  std::string state;  // the desired state to set
  // What to do with a unit (not global) in this current state.
  enum class Answer { kLower, kSkip, kRefuse };
  std::function<Answer(const std::string& current_state)> judge;
};

// Returns the exit code.
int lower_units(Context& context, const Lowering& lowering);

}  // namespace flotilla::fctl
