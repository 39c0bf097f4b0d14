#include "fctl/lower_state.h"

#include <algorithm>

#include "fctl/unit_args.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {
namespace {

// As Go prints a list of strings.
std::string bracketed(const std::vector<std::string>& names) {
  return fmt::format("[{}]", fmt::join(names, " "));
}

// Lowers those that may be; false if one may not, or could not be.
bool lower(Context& context, const Lowering& lowering, const std::vector<client::Unit>& units,
           std::vector<std::string>& lowered) {
  std::vector<std::string> names;
  std::string refusal;
  for (const client::Unit& unit : units) {
    if (!is_global(unit)) {
      const Lowering::Answer answer = lowering.judge(unit.current_state);
      if (answer == Lowering::Answer::kSkip) continue;
      if (answer == Lowering::Answer::kRefuse) {
        refusal =
            "Unable to " + lowering.verb + " unit " + unit.name + " in state " + unit.current_state;
        break;  // what comes before it is still asked for
      }
    }
    names.push_back(unit.name);
  }
  const std::vector<base::Status> results = context.api.set_desired_states(names, lowering.state);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!results[i]) {
      context.output.err_line("Error setting the target state of unit " + names[i] + ": " +
                              results[i].error().message);
      return false;
    }
    const auto unit = std::find_if(units.begin(), units.end(),
                                   [&](const client::Unit& one) { return one.name == names[i]; });
    if (is_global(*unit)) {
      context.output.out_line("Triggered global unit " + names[i] + " " + lowering.verb);
    } else {
      lowered.push_back(names[i]);
    }
  }
  if (!refusal.empty()) context.output.err_line(refusal);
  return refusal.empty();
}

}  // namespace

int lower_units(Context& context, const Lowering& lowering) {
  if (context.arguments.empty()) {
    context.output.err_line("No units given");
    return 0;
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
  if (!lower(context, lowering, *units, lowered)) return 1;
  if (const base::Status settled = settle_states(context, lowered, lowering.verb, lowering.state,
                                                 patience_of(context.flags));
      !settled) {
    context.output.err_line("Failed to " + lowering.verb + " units " + bracketed(lowered) +
                            ". err: " + settled.error().message);
    return 1;
  }
  context.output.err_line("Successfully " + lowering.done + " units " + bracketed(lowered) + ".");
  return 0;
}

}  // namespace flotilla::fctl
