// What a failed spawn is told as: one sentence for each step, in systemd's words. Pure.
#pragma once

#include <string>

#include "init/spawner.h"

namespace flotilla::init {

// Requires: the result is a failure after kClone.
std::string describe_spawn_failure(const ExecSpec& spec, const SpawnResult& result);

}  // namespace flotilla::init
