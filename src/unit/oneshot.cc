#include "unit/oneshot.h"

#include "unit/scalar.h"

namespace flotilla::unit {

bool is_oneshot(const std::vector<UnitOption>& options) {
  bool is_of_type = false;
  bool remains = false;
  for (const UnitOption& option : options) {
    if (option.section != "Service") continue;
    if (option.name == "Type") is_of_type = option.value == "oneshot";
    if (option.name == "RemainAfterExit") remains = parse_boolean(option.value).value_or(false);
  }
  return is_of_type && !remains;
}

}  // namespace flotilla::unit
