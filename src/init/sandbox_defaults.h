// What sandboxing settings imply for others: DynamicUser= is a whole strict sandbox, a private
// /dev takes capabilities away. The last step of loading a service; pure.
#pragma once

#include "init/unit_settings.h"

namespace flotilla::init {

void finish_sandbox(UnitSettings& settings);

}  // namespace flotilla::init
