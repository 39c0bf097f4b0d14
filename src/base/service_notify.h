// Tells the service manager how the daemon is doing (sd_notify(3)).
#pragma once

#include <string_view>

#include "base/result.h"

namespace flotilla::base {

// Sends the assignments ("READY=1\nSTATUS=...") to $NOTIFY_SOCKET; does nothing without one.
Status notify_service_manager(std::string_view assignments);

}  // namespace flotilla::base
