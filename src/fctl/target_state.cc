#include "fctl/target_state.h"

#include <optional>

namespace flotilla::fctl {
namespace {

// The units whose desired state was not `state` yet and now is.
base::Result<std::vector<client::Unit>> set_states(Context& context, const std::string& state) {
  std::vector<client::Unit> changed;
  for (const std::string& name : unit_names_of(context.arguments)) {
    FLOTILLA_ASSIGN(std::optional<client::Unit> unit, context.api.unit(name));
    if (!unit) return base::not_found("unable to find Unit({})", name);
    if (unit->desired_state == state) continue;
    FLOTILLA_TRY(context.api.set_desired_state(name, state));
    changed.push_back(std::move(*unit));
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
