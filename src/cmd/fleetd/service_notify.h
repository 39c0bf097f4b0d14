#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

#include "base/service_notify.h"

namespace flotilla::fleetd {

// base::notify_service_manager(); what fails is logged.
inline void notify_service_manager(std::string_view assignments) {
  if (const base::Status sent = base::notify_service_manager(assignments); !sent) {
    SPDLOG_WARN("{}", sent.error().message);
  }
}

}  // namespace flotilla::fleetd
