#include "fctl/commands.h"
#include "fctl/target_state.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {

int cmd_start(Context& context) {
  if (context.arguments.empty()) {
    context.output.err_line("No units given");
    return 0;
  }
  const Patience patience = patience_of(context.flags);
  const std::chrono::milliseconds began = context.pacer.now();
  const Raised raised = raise_units(context, Purpose::kStart, "launched", "start", "starting");
  if (raised.exit_code != 0) return raised.exit_code;
  if (const base::Status done = settle_states(context, raised.units, "start", "launched", patience);
      !done) {
    context.output.err_line("Error waiting for unit states, exit status: " + done.error().message);
    return 1;
  }
  if (const base::Status active = wait_until_active(context, raised.units, patience, began);
      !active) {
    context.output.err_line("Error waiting for systemd unit states, err: " +
                            active.error().message);
    return 1;
  }
  return 0;
}

}  // namespace flotilla::fctl
