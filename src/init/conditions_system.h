// The conditions that ask about the state of the machine rather than for a file or a fixed fact:
// power, pressure, firmware, release, pending updates, encrypted disks. For conditions.cc.
#pragma once

#include <optional>
#include <string>

#include "init/conditions.h"

namespace flotilla::init {

// Nothing for a kind that is not of these; inside, nothing where it cannot be told.
std::optional<std::optional<bool>> system_condition_holds(const std::string& kind,
                                                          const std::string& parameter,
                                                          const ConditionWorld& world);

// What a virtual machine's processor says it runs on: "kvm", "vmware", ...; "none" on bare metal.
std::string detect_virtual_machine();
// systemd's name for what uname calls the machine: "x86-64" for "x86_64".
std::string architecture_name(std::string_view machine);

}  // namespace flotilla::init
