// What `systemctl status UNIT` prints, from the unit's properties as systemd1 gives them. Pure, but
// for the time zone of the process.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "bus/unit_manager.h"
#include "bus/value.h"

namespace flotilla::bus {

struct UnitStatusInput {
  const Properties& properties;
  const std::vector<UnitProcess>& processes;  // of its cgroup
  std::string main_command;                   // the name of the main process, or empty
  base::WallTime now;
};

// Ends with a newline; log lines come behind it, after an empty line.
std::string format_unit_status(const UnitStatusInput& input);

// The exit status `systemctl status` has: 0 active or reloading, 4 no such unit, 3 otherwise.
int status_exit_code(const Properties& properties);

// "5s ago", "1min 30s ago", "2h 5min ago", "3 days ago", "1 month 2 days ago".
std::string format_age(base::Micros age);

}  // namespace flotilla::bus
