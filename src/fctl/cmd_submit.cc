#include "fctl/commands.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {

int cmd_submit(Context& context) {
  if (context.arguments.empty()) {
    context.output.err_line("No units given");
    return 0;
  }
  if (const base::Status created = create_units_lazily(context, Purpose::kSubmit); !created) {
    context.output.err_line("Error creating units: " + created.error().message);
    return 1;
  }
  return 0;
}

}  // namespace flotilla::fctl
