#include <algorithm>
#include <set>
#include <tuple>

#include "fctl/commands.h"
#include "fctl/listing.h"
#include "fctl/machine_names.h"
#include "fctl/uptime.h"

namespace flotilla::fctl {
namespace {

using client::UnitState;

Document::Fields entity_of(const UnitState& state) {
  Document::Fields fields;
  add_field(fields, "hash", state.hash);
  add_field(fields, "machineID", state.machine_id);
  add_field(fields, "name", state.name);
  add_field(fields, "problem", state.problem);
  if (state.active_enter_usec != 0) {
    fields.emplace_back("systemdActiveEnterTimestamp", Document(state.active_enter_usec));
  }
  add_field(fields, "systemdActiveState", state.active_state);
  add_field(fields, "systemdLoadState", state.load_state);
  add_field(fields, "systemdSubState", state.sub_state);
  return fields;
}

// A unit that is to run and of which no machine has told yet has a row as well: without states.
void add_silent_units(const std::vector<client::Unit>& units, std::vector<UnitState>& states) {
  std::set<std::string> reported;
  for (const UnitState& state : states) reported.insert(state.name);
  for (const client::Unit& unit : units) {
    if (unit.desired_state != "launched" || reported.count(unit.name) != 0) continue;
    UnitState state;
    state.name = unit.name;
    state.machine_id = unit.machine_id;
    states.push_back(std::move(state));
  }
  std::sort(states.begin(), states.end(), [](const UnitState& a, const UnitState& b) {
    return std::tie(a.name, a.machine_id) < std::tie(b.name, b.machine_id);
  });
}

Listing<UnitState> listing_of(Context& context, const MachineNames& names) {
  const auto uptime = [now = context.pacer.wall_clock()](const UnitState& state) {
    if (state.active_state != "active" || state.active_enter_usec == 0) return std::string("-");
    return uptime_text(std::chrono::microseconds(state.active_enter_usec), now);
  };
  Listing<UnitState> listing;
  listing.fields = "unit,machine,active,sub,uptime";
  listing.wide_fields = "unit,machine,load,active,sub,uptime,hash,problem";
  listing.key = "states";
  listing.columns = {
      {"unit", [](const UnitState& state) { return state.name; }},
      {"machine",
       [&](const UnitState& state) { return names.shown(state.machine_id, wants_full(context)); }},
      {"active", [](const UnitState& state) { return or_dash(state.active_state); }},
      {"sub", [](const UnitState& state) { return or_dash(state.sub_state); }},
      {"load", [](const UnitState& state) { return or_dash(state.load_state); }},
      {"hash", [&](const UnitState& state) { return shown_hash(context, state.hash); }},
      {"uptime", uptime},
      {"problem", [](const UnitState& state) { return or_dash(state.problem); }},
  };
  listing.name = [](const UnitState& state) { return state.name; };
  listing.entity = entity_of;
  return listing;
}

base::Result<Printed> render_states(Context& context) {
  base::Result<std::vector<UnitState>> states = context.api.unit_states();
  base::Result<std::vector<client::Unit>> units = std::vector<client::Unit>();
  base::Result<std::vector<client::Machine>> machines = std::vector<client::Machine>();
  if (states) units = context.api.units_without_options();
  if (states && units) machines = context.api.machines();
  if (!states || !units || !machines) {
    const base::Error& error =
        !states ? states.error() : (!units ? units.error() : machines.error());
    return base::unavailable("Error retrieving list of units from repository: {}", error.message);
  }
  add_silent_units(*units, *states);
  const MachineNames names(*machines);
  return render_list(context, listing_of(context, names), *states);
}

}  // namespace

int cmd_list_units(Context& context) {
  return print_list(context, [&] { return render_states(context); });
}

}  // namespace flotilla::fctl
