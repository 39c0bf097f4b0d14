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

}  // namespace flotilla::init
