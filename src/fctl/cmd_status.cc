#include <optional>

#include "fctl/commands.h"
#include "fctl/remote.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {
namespace {

// The status of the unit on one machine, from the API or over SSH; the exit status of systemctl.
int print_status(Context& context, const client::Unit& unit, const std::string& machine) {
  // A unit that is in one place is asked for by its name alone, as every version understands it.
  const base::Result<client::StatusText> status =
      context.api.unit_status(unit.name, is_global(unit) ? machine : std::string());
  if (status) {
    context.output.out(status->text);
    return status->exit_status;
  }
  if (!may_fall_back(status.error())) {
    context.output.err_line("Error retrieving the status of unit " + unit.name + ": " +
                            status.error().message);
    return 1;
  }
  const base::Result<int> exit_status =
      run_on_machine(context, machine, {"systemctl", "status", "-l", unit.name});
  if (exit_status) return *exit_status;
  context.output.err_line(exit_status.error().message);
  return 1;
}

}  // namespace

int cmd_status(Context& context) {
  bool first = true;
  for (const std::string& name : unit_names_of(context.arguments)) {
    const base::Result<std::optional<client::Unit>> unit = context.api.unit(name);
    if (!unit) {
      context.output.err_line("Error retrieving Unit " + name + ": " + unit.error().message);
      return 1;
    }
    if (!*unit) {
      context.output.err_line("Unit " + name + " does not exist.");
      suggest_units(context, name);
      return 1;
    }
    const base::Result<std::vector<std::string>> machines = (*unit)->current_state == "inactive"
                                                                ? std::vector<std::string>()
                                                                : machines_of(context, **unit);
    if (!machines) {
      context.output.err_line(machines.error().message);
      return 1;
    }
    if (machines->empty()) {
      context.output.err_line("Unit " + name + " does not appear to be loaded.");
      return 1;
    }
    for (const std::string& machine : *machines) {
      if (!first) context.output.out("\n");
      first = false;
      if (const int exit_status = print_status(context, **unit, machine); exit_status != 0) {
        return exit_status;
      }
    }
  }
  return 0;
}

}  // namespace flotilla::fctl
