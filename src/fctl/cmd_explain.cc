#include "fctl/commands.h"
#include "fctl/listing.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {

int cmd_explain(Context& context) {
  if (context.arguments.size() != 1) {
    context.output.err_line("One unit must be provided.");
    return 1;
  }
  const std::string name = unit_name_of(context.arguments[0]);
  const base::Result<std::vector<client::Eligibility>> machines = context.api.explain(name);
  if (!machines) {
    if (machines.error().code == base::Errc::kNotFound) {
      context.output.err_line("Unit " + name + " does not exist.");
      suggest_units(context, name);
    } else if (machines.error().code == base::Errc::kUnsupported) {
      context.output.err_line(
          "The API at this endpoint cannot explain units: its fleetd is older.");
    } else {
      context.output.err_line("Error explaining unit " + name + ": " + machines.error().message);
    }
    return 1;
  }
  const bool full = wants_full(context);
  std::vector<std::vector<std::string>> rows;
  for (const client::Eligibility& machine : *machines) {
    rows.push_back({full ? machine.machine_id : machine.machine_id.substr(0, 8) + "...",
                    machine.eligible ? "yes" : "no", or_dash(machine.reason)});
  }
  context.output.out(table_text(context, {"machine", "eligible", "reason"}, std::move(rows)));
  return 0;
}

}  // namespace flotilla::fctl
