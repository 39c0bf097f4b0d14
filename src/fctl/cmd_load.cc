#include "fctl/commands.h"
#include "fctl/target_state.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {

int cmd_load(Context& context) {
  if (context.arguments.empty()) {
    context.output.err_line("No units given");
    return 0;
  }
  const Patience patience = patience_of(context.flags);
  const Raised raised = raise_units(context, Purpose::kLoad, "loaded", "load", "loading");
  if (raised.exit_code != 0) return raised.exit_code;
  if (const base::Status done = settle_states(context, raised.units, "load", "loaded", patience);
      !done) {
    context.output.err_line("Error waiting for unit states, exit status: " + done.error().message);
    return 1;
  }
  return 0;
}

}  // namespace flotilla::fctl
