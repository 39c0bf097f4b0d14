#include "fctl/commands.h"
#include "fctl/unit_args.h"
#include "unit/fleet_file.h"

namespace flotilla::fctl {

int cmd_cat(Context& context) {
  if (context.arguments.size() != 1) {
    context.output.err_line("One unit file must be provided");
    return 1;
  }
  const std::string name = unit_name_of(context.arguments[0]);
  const auto unit = context.api.unit(name);
  if (!unit) {
    context.output.err_line("Error retrieving Unit " + name + ": " + unit.error().message);
    return 1;
  }
  if (!*unit) {
    context.output.err_line("Unit " + name + " not found");
    return 1;
  }
  context.output.out(unit::serialize((*unit)->options));
  return 0;
}

}  // namespace flotilla::fctl
