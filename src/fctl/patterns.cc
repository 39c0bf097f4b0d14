#include "fctl/patterns.h"

#include <algorithm>
#include <optional>

#include "fctl/unit_args.h"
#include "unit/fleet_glob.h"

namespace flotilla::fctl {

base::Status expand_patterns(Context& context) {
  std::optional<std::vector<client::Unit>> units;
  std::vector<std::string> expanded;
  for (const std::string& argument : context.arguments) {
    const std::string path = with_default_type(argument);
    const bool is_pattern =
        argument.find_first_of("*?[") != std::string::npos && !context.environment.read_file(path);
    if (!is_pattern) {
      expanded.push_back(argument);
      continue;
    }
    if (!units) {
      FLOTILLA_ASSIGN(units, context.api.units_without_options());
    }
    const std::string plain = argument.substr(argument.rfind('/') + 1);
    const std::string typed = unit_name_of(argument);
    size_t matches = 0;
    for (const client::Unit& unit : *units) {
      if (!unit::glob_matches(plain, unit.name) && !unit::glob_matches(typed, unit.name)) continue;
      // A type that fleetctl appends ".service" to can be named by no argument.
      if (with_default_type(unit.name) != unit.name) continue;
      ++matches;
      if (std::find(expanded.begin(), expanded.end(), unit.name) == expanded.end()) {
        expanded.push_back(unit.name);
      }
    }
    if (matches == 0) expanded.push_back(argument);
  }
  context.arguments = std::move(expanded);
  return {};
}

}  // namespace flotilla::fctl
