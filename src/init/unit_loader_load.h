// One load of a unit in progress. For the files of UnitLoader alone.
#pragma once

#include <vector>

#include "init/unit_loader.h"

namespace flotilla::init {

struct UnitLoader::Load {
  UnitSettings settings;
  SettingMarks marks;
  unit::SpecifierContext specifiers;
  std::vector<unit::Diagnostic> diagnostics;
  bool has_own_settings = false;  // in the section of its type
};

// By whose names directories beside unit files ("NAME.d", "NAME.wants") govern this unit, the
// nearest first: its own, its aliases', its template's, and those that they begin with. Units of a
// whole type have directories too, behind all these.
std::vector<std::string> names_with_directories(const unit::UnitName& name,
                                                const std::vector<unit::UnitName>& aliases);

}  // namespace flotilla::init
