// What system.conf (user.conf) and its drop-ins say: settings of the manager itself, and what the
// settings of units begin with. Read at the start and at each reload.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_tree.h"
#include "init/search_path.h"
#include "init/unit_actions.h"
#include "unit/specifier.h"
#include "unit/unit_file.h"

namespace flotilla::init {

// Of machines with devices, a keyboard and a watchdog: shown, without effect here.
struct ShownConf {
  base::Micros timer_accuracy = std::chrono::minutes(1);
  base::Micros device_timeout = std::chrono::seconds(90);
  base::Micros reboot_watchdog = std::chrono::minutes(10);
  EmergencyAction ctrl_alt_del_burst = EmergencyAction::kRebootForce;
};

struct ManagerConf {
  // As if they stood first in the file of every unit. An empty section is the one of the unit's
  // type.
  std::vector<unit::Setting> unit_defaults;
  std::vector<std::string> default_environment, manager_environment;  // NAME=VALUE
  int log_level = -1;                                                 // -1: nothing is said
  ShownConf shown;
  std::vector<std::string> warnings;
};

// Never fails: what cannot be read is a warning.
ManagerConf read_manager_conf(const base::FileTree& tree, ManagerScope scope,
                              const unit::HostValues& host);

// Whether a default of this section is for units of this type.
bool is_default_for(const unit::Setting& setting, unit::UnitType type);

}  // namespace flotilla::init
