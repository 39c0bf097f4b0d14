// What the parsers of man systemd.resource-control share.
#pragma once

#include "init/cgroup_settings.h"
#include "init/directives_context.h"

namespace flotilla::init {

// The settings to write to, with a note that context.key is set. Those of the unit may be shared
// with a copy that somebody reads.
CgroupSettings& edit_cgroup(UnitSettings& unit, const SettingContext& context);

}  // namespace flotilla::init
