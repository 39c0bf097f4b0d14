// The units every machine has, as texts of our own: without the systemd package there is no
// sysinit.target, and nothing would start. Lowest in the search path: any file of the same name
// wins. Constant data.
#pragma once

#include <cstddef>
#include <string_view>

namespace flotilla::init {

struct StandardUnit {
  std::string_view name;
  std::string_view text;      // of the unit file; empty for an alias
  std::string_view alias_of;  // the unit this is another name of, or empty
};

const StandardUnit* standard_units_begin() noexcept;
const StandardUnit* standard_units_end() noexcept;
// Null where we carry no such unit.
const StandardUnit* find_standard_unit(std::string_view name) noexcept;

}  // namespace flotilla::init
