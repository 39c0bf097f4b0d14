#include <map>
#include <utility>

#include "fctl/commands.h"
#include "fctl/listing.h"
#include "fctl/machine_names.h"
#include "fctl/unit_args.h"
#include "unit/fleet_file.h"

namespace flotilla::fctl {
namespace {

using client::Unit;

std::string description_of(const Unit& unit) {
  for (const unit::UnitOption& option : unit.options) {
    if (option.section == "Unit" && option.name == "Description") return option.value;
  }
  return {};
}

Document::Fields entity_of(const Unit& unit) {
  Document::Fields fields;
  if (!is_global(unit)) add_field(fields, "currentState", unit.current_state);
  add_field(fields, "desiredState", unit.desired_state);
  add_field(fields, "hash", unit::hash_hex(unit.options));
  add_field(fields, "machineID", unit.machine_id);
  add_field(fields, "name", unit.name);
  Document::List options;
  for (const unit::UnitOption& option : unit.options) {
    Document::Fields one;
    add_field(one, "name", option.name);
    add_field(one, "section", option.section);
    add_field(one, "value", option.value);
    options.emplace_back(std::move(one));
  }
  fields.emplace_back("options", Document(std::move(options)));
  return fields;
}

// What is shown as the state of global units: "-", or with -o wide on how many machines each has
// got where it is wanted.
using GlobalStates = std::function<std::string(const Unit&)>;

base::Result<GlobalStates> global_states(Context& context) {
  if (context.flags.text("output") != "wide") {
    return GlobalStates([](const Unit&) { return std::string("-"); });
  }
  FLOTILLA_ASSIGN(const std::vector<client::UnitState> states, context.api.unit_states());
  std::map<std::string, std::pair<int, int>> counts;  // active ones, all
  for (const client::UnitState& state : states) {
    auto& [active, all] = counts[state.name];
    active += state.active_state == "active" ? 1 : 0;
    ++all;
  }
  return GlobalStates([counts = std::move(counts)](const Unit& unit) -> std::string {
    const auto found = counts.find(unit.name);
    const auto [active, all] = found == counts.end() ? std::pair(0, 0) : found->second;
    if (unit.desired_state == "launched") return fmt::format("launched({})", active);
    if (unit.desired_state == "loaded") return fmt::format("loaded({})", all);
    return "-";
  });
}

Listing<Unit> listing_of(Context& context, const MachineNames& names, const GlobalStates& global) {
  const auto target = [&](const Unit& unit) -> std::string {
    return is_global(unit) ? "global" : names.shown(unit.machine_id, wants_full(context));
  };
  Listing<Unit> listing;
  listing.fields = "unit,hash,dstate,state,target";
  listing.wide_fields = "unit,hash,dstate,state,target,desc";
  listing.key = "units";
  listing.columns = {
      {"unit", [](const Unit& unit) { return unit.name; }},
      {"hash", [&](const Unit& unit) { return shown_hash(context, unit::hash_hex(unit.options)); }},
      {"dstate", [](const Unit& unit) { return or_dash(unit.desired_state); }},
      {"state",
       [&](const Unit& unit) {
         return is_global(unit) ? global(unit) : or_dash(unit.current_state);
       }},
      {"target", target},
      {"tmachine",
       [&context, target, warned = false](const Unit& unit) mutable {
         if (!std::exchange(warned, true)) {
           context.output.err_line(
               "WARNING: The \"tmachine\" field is deprecated. Use \"target\" instead");
         }
         return target(unit);
       }},
      {"global", [](const Unit& unit) { return is_global(unit) ? "true" : "false"; }},
      {"desc", [](const Unit& unit) { return or_dash(description_of(unit)); }},
  };
  listing.name = [](const Unit& unit) { return unit.name; };
  listing.entity = entity_of;
  return listing;
}

base::Result<Printed> render_units(Context& context) {
  const base::Result<std::vector<Unit>> units = context.api.units();
  base::Result<std::vector<client::Machine>> machines = std::vector<client::Machine>();
  base::Result<GlobalStates> global = GlobalStates();
  if (units) machines = context.api.machines();
  if (units && machines) global = global_states(context);
  if (!units || !machines || !global) {
    const base::Error& error =
        !units ? units.error() : (!machines ? machines.error() : global.error());
    return base::unavailable("Error retrieving list of units from repository: {}", error.message);
  }
  const MachineNames names(*machines);
  return render_list(context, listing_of(context, names, *global), *units);
}

}  // namespace

int cmd_list_unit_files(Context& context) {
  return print_list(context, [&] { return render_units(context); });
}

}  // namespace flotilla::fctl
