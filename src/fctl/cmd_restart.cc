#include <algorithm>

#include "fctl/commands.h"
#include "fctl/log_line.h"
#include "fctl/remote.h"
#include "fctl/unit_args.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {
namespace {

// What to say of a restart that failed; one whose end is not known may have been done.
std::string describe_failure(const base::Error& error) {
  const bool is_open = error.code == base::Errc::kTimedOut || error.code == base::Errc::kInternal;
  return error.message + (is_open ? "; it may have been restarted, see its status" : "");
}

base::Status set_state(Context& context, const std::string& name, const std::string& state) {
  return context.api.set_desired_states({name}, state)[0];
}

// Starts a global unit that is loaded, or restarts it on each machine; says what went wrong and
// returns false.
bool restart_global(Context& context, const client::Unit& unit) {
  const base::Result<std::vector<std::string>> machines = machines_of(context, unit);
  if (!machines) {
    context.output.err_line(machines.error().message);
    return false;
  }
  if (unit.desired_state == "loaded") {
    if (const base::Status set = set_state(context, unit.name, "launched"); !set) {
      context.output.err_line("Error restarting unit " + unit.name + ": " + set.error().message);
      return false;
    }
    context.output.out_line("Triggered global unit " + unit.name + " restart");
    return true;
  }
  for (const std::string& machine : *machines) {
    const base::Status asked = context.api.restart_unit(unit.name, machine);
    if (asked) continue;
    if (!is_surely_undone(asked.error())) {
      context.output.err_line("Error restarting unit " + unit.name + " on machine " + machine +
                              ": " + describe_failure(asked.error()));
      return false;
    }
    const base::Result<int> exit_status =
        run_on_machine(context, machine, {"systemctl", "restart", unit.name});
    if (!exit_status) {
      context.output.err_line(exit_status.error().message);
      return false;
    }
    if (*exit_status != 0) return false;
  }
  context.output.out_line("Triggered global unit " + unit.name + " restart");
  return true;
}

uint64_t last_start(Context& context, const std::string& name) {
  const base::Result<std::vector<client::UnitState>> states = context.api.unit_states_of(name);
  uint64_t latest = 0;
  if (!states) return latest;
  for (const client::UnitState& state : *states) latest = std::max(latest, state.active_enter_usec);
  return latest;
}

// The machine answers when the restart is through; its state follows in a moment, as a later start.
// A program that ends by itself has none, so that the wait is short; a failure is one.
base::Status wait_for_new_start(Context& context, const std::string& name, uint64_t before,
                                Patience patience) {
  std::string last_state;
  const auto look = [&]() -> base::Result<bool> {
    FLOTILLA_ASSIGN(const std::vector<client::UnitState> states, context.api.unit_states_of(name));
    for (const client::UnitState& state : states) {
      last_state = state.active_state;
      if (last_state == "active" && (before == 0 || state.active_enter_usec > before)) return true;
    }
    return false;
  };
  FLOTILLA_ASSIGN(const bool done, wait_until(context, {Patience::Kind::kAttempts, 1}, look));
  if (!done && last_state == "failed") return base::conflict("unit {} has failed", name);
  return wait_for_states(context, {name}, "launched", patience);
}

// A running unit is restarted by its machine. Where no machine can be asked, it is stopped and
// started through its desired state.
base::Status restart_launched(Context& context, const client::Unit& unit, Patience patience) {
  const uint64_t before = last_start(context, unit.name);
  const base::Status asked = context.api.restart_unit(unit.name, "");
  if (asked) {
    if (patience.kind == Patience::Kind::kNone) {
      context.output.out_line("Triggered unit " + unit.name + " restart");
      return {};
    }
    return wait_for_new_start(context, unit.name, before, patience);
  }
  if (!is_surely_undone(asked.error())) {
    return base::unexpected({asked.error().code, describe_failure(asked.error())});
  }
  FLOTILLA_TRY(set_state(context, unit.name, "loaded"));
  // Even with --no-block: a unit that is set back before it has stopped is not restarted.
  const Patience stopping =
      patience.kind == Patience::Kind::kNone ? Patience{Patience::Kind::kForever, 0} : patience;
  FLOTILLA_TRY(wait_for_states(context, {unit.name}, "loaded", stopping));
  FLOTILLA_TRY(set_state(context, unit.name, "launched"));
  return settle_states(context, {unit.name}, "restart", "launched", patience);
}

base::Status restart_unit(Context& context, const client::Unit& unit, Patience patience) {
  if (unit.current_state == "launched") return restart_launched(context, unit, patience);
  FLOTILLA_TRY(set_state(context, unit.name, "launched"));
  return settle_states(context, {unit.name}, "restart", "launched", patience);
}

}  // namespace

int cmd_restart(Context& context) {
  Output& output = context.output;
  if (context.arguments.empty()) {
    output.err_line("No units given");
    return 0;
  }
  if (const base::Status created = create_units_lazily(context, Purpose::kRestart); !created) {
    output.err_line("Error creating units: " + created.error().message);
    return 1;
  }
  const base::Result<std::vector<client::Unit>> units = find_units(context);
  if (!units) {
    output.err_line(units.error().message);
    return 1;
  }
  int exit_code = 0;
  for (const client::Unit& unit : *units) {
    if (is_global(unit) && unit.desired_state != "inactive") {
      if (!restart_global(context, unit)) exit_code = 1;
      continue;
    }
    if (is_global(unit) || unit.current_state == "inactive") {
      output.err_line("Unable to restart unit " + unit.name + " in state inactive");
      continue;
    }
    const base::Status restarted = restart_unit(context, unit, patience_of(context.flags));
    if (!restarted) {
      output.err_line("Error restarting unit " + unit.name + ": " + restarted.error().message);
      exit_code = 1;
      continue;
    }
    output.err_line(info_line("Unit(" + unit.name + ") was restarted."));
  }
  return exit_code;
}

}  // namespace flotilla::fctl
