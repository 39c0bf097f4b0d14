#include "fctl/target_state.h"

#include <optional>
#include <set>

namespace flotilla::fctl {
namespace {

// The units whose desired state was not `state` yet and now is.
base::Result<std::vector<client::Unit>> set_states(Context& context, const std::string& state) {
  const std::vector<std::string> names = unit_names_of(context.arguments);
  FLOTILLA_ASSIGN(std::vector<std::optional<client::Unit>> units, context.api.units_named(names));
  std::vector<client::Unit> changed;
  std::vector<std::string> changed_names;
  std::set<std::string> seen;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!seen.insert(names[i]).second) continue;
    if (!units[i]) return base::not_found("unable to find Unit({})", names[i]);
    if (units[i]->desired_state == state) continue;
    changed.push_back(std::move(*units[i]));
    changed_names.push_back(names[i]);
  }
  for (base::Status& set : context.api.set_desired_states(changed_names, state)) {
    FLOTILLA_TRY(std::move(set));
  }
  return changed;
}

}  // namespace

Raised raise_units(Context& context, Purpose purpose, const std::string& state,
                   const std::string& verb, const std::string& doing) {
  Raised raised;
  if (const base::Status created = create_units_lazily(context, purpose); !created) {
    context.output.err_line("Error creating units: " + created.error().message);
    raised.exit_code = 1;
    return raised;
  }
  const base::Result<std::vector<client::Unit>> changed = set_states(context, state);
  if (!changed) {
    context.output.err_line("Error " + doing + " units: " + changed.error().message);
    raised.exit_code = 1;
    return raised;
  }
  for (const client::Unit& unit : *changed) {
    if (is_global(unit)) {
      context.output.out_line("Triggered global unit " + unit.name + " " + verb);
    } else {
      raised.units.push_back(unit.name);
    }
  }
  return raised;
}

}  // namespace flotilla::fctl
