#include "fctl/lower_state.h"

#include "fctl/unit_args.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {
namespace {

// As Go prints a list of strings.
std::string bracketed(const std::vector<std::string>& names) {
  return fmt::format("[{}]", fmt::join(names, " "));
}

}  // namespace

int lower_units(Context& context, const Lowering& lowering) {
  if (context.arguments.empty()) {
    context.output.err_line("No units given");
    return 0;
  }
  const base::Result<Patience> patience = patience_of(context.flags);
  if (!patience) {
    context.output.err_line(patience.error().message);
    return 2;
  }
  const base::Result<std::vector<client::Unit>> units = find_units(context);
  if (!units) {
    context.output.err_line(units.error().message);
    return 1;
  }
  if (units->empty()) {
    context.output.err_line("Units not found in registry");
    return 0;
  }
  std::vector<std::string> lowered;
  for (const client::Unit& unit : *units) {
    const bool global = is_global(unit);
    if (!global) {
      const Lowering::Answer answer = lowering.judge(unit.current_state);
      if (answer == Lowering::Answer::kSkip) continue;
      if (answer == Lowering::Answer::kRefuse) {
        context.output.err_line("Unable to " + lowering.verb + " unit " + unit.name + " in state " +
                                unit.current_state);
        return 1;
      }
    }
    if (const base::Status set = context.api.set_desired_state(unit.name, lowering.state); !set) {
      context.output.err_line("Error setting the target state of unit " + unit.name + ": " +
                              set.error().message);
      return 1;
    }
    if (global) {
      context.output.out_line("Triggered global unit " + unit.name + " " + lowering.verb);
    } else {
      lowered.push_back(unit.name);
    }
  }
  if (const base::Status settled =
          settle_states(context, lowered, lowering.verb, lowering.state, *patience);
      !settled) {
    context.output.err_line("Failed to " + lowering.verb + " units " + bracketed(lowered) +
                            ". err: " + settled.error().message);
    return 1;
  }
  context.output.err_line("Successfully " + lowering.done + " units " + bracketed(lowered) + ".");
  return 0;
}

}  // namespace flotilla::fctl
