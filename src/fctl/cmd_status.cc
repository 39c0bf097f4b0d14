#include <optional>

#include "fctl/commands.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {

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
      return 1;
    }
    if ((*unit)->current_state == "inactive") {
      context.output.err_line("Unit " + name + " does not appear to be loaded.");
      return 1;
    }
    const base::Result<client::StatusText> status = context.api.unit_status(name);
    if (!status) {
      context.output.err_line("Error retrieving the status of unit " + name + ": " +
                              status.error().message);
      return 1;
    }
    if (!first) context.output.out("\n");
    first = false;
    context.output.out(status->text);
    if (status->exit_status != 0) return status->exit_status;
  }
  return 0;
}

}  // namespace flotilla::fctl
