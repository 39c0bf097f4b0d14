#include "fctl/commands.h"
#include "fctl/listing.h"
#include "fctl/machine_names.h"

namespace flotilla::fctl {

int cmd_list_units(Context& context) {
  const base::Result<std::vector<client::UnitState>> states = context.api.unit_states();
  base::Result<std::vector<client::Machine>> machines = std::vector<client::Machine>();
  if (states) machines = context.api.machines();
  if (!states || !machines) {
    context.output.err_line("Error retrieving list of units from repository: " +
                            (states ? machines.error().message : states.error().message));
    return 1;
  }
  const MachineNames names(*machines);
  const bool full = wants_full(context);
  using State = client::UnitState;
  const std::vector<Column<State>> columns = {
      {"unit", [](const State& state) { return state.name; }},
      {"machine", [&](const State& state) { return names.shown(state.machine_id, full); }},
      {"active", [](const State& state) { return state.active_state; }},
      {"sub", [](const State& state) { return state.sub_state; }},
      {"load", [](const State& state) { return state.load_state; }},
      {"hash", [&](const State& state) { return shown_hash(context, state.hash); }},
  };
  return print_list(context, "unit,machine,active,sub", columns, *states);
}

}  // namespace flotilla::fctl
