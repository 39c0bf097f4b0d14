#include <utility>

#include "fctl/commands.h"
#include "fctl/listing.h"
#include "fctl/machine_names.h"
#include "fctl/unit_args.h"
#include "unit/fleet_file.h"

namespace flotilla::fctl {
namespace {

std::string description_of(const client::Unit& unit) {
  for (const unit::UnitOption& option : unit.options) {
    if (option.section == "Unit" && option.name == "Description") return option.value;
  }
  return {};
}

}  // namespace

int cmd_list_unit_files(Context& context) {
  const base::Result<std::vector<client::Unit>> units = context.api.units();
  base::Result<std::vector<client::Machine>> machines = std::vector<client::Machine>();
  if (units) machines = context.api.machines();
  if (!units || !machines) {
    context.output.err_line("Error retrieving list of units from repository: " +
                            (units ? machines.error().message : units.error().message));
    return 1;
  }
  const MachineNames names(*machines);
  using Unit = client::Unit;
  const auto target = [&](const Unit& unit) -> std::string {
    return is_global(unit) ? "global" : names.shown(unit.machine_id, wants_full(context));
  };
  const std::vector<Column<Unit>> columns = {
      {"unit", [](const Unit& unit) { return unit.name; }},
      {"hash", [&](const Unit& unit) { return shown_hash(context, unit::hash_hex(unit.options)); }},
      {"dstate", [](const Unit& unit) { return or_dash(unit.desired_state); }},
      {"state",
       [](const Unit& unit) { return is_global(unit) ? "-" : or_dash(unit.current_state); }},
      {"target", target},
      {"tmachine",
       [&, warned = false](const Unit& unit) mutable {
         if (!std::exchange(warned, true)) {
           context.output.err_line(
               "WARNING: The \"tmachine\" field is deprecated. Use \"target\" instead");
         }
         return target(unit);
       }},
      {"global", [](const Unit& unit) { return is_global(unit) ? "true" : "false"; }},
      {"desc", [](const Unit& unit) { return or_dash(description_of(unit)); }},
  };
  return print_list(context, "unit,hash,dstate,state,target", columns, *units);
}

}  // namespace flotilla::fctl
