#include "fctl/commands.h"
#include "fctl/unit_args.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {

int cmd_destroy(Context& context) {
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
  int exit_code = 0;
  const auto report = [&](const base::Error& error) {
    context.output.err_line("Error destroying units: " + error.message);
    exit_code = 1;
  };
  // All are asked for before the first is waited for: they stop side by side.
  std::vector<std::string> names;
  for (const client::Unit& unit : *units) names.push_back(unit.name);
  const std::vector<base::Status> results = context.api.destroy_units(names);
  std::vector<std::string> going;
  for (size_t i = 0; i < names.size(); ++i) {
    if (results[i]) {
      going.push_back(names[i]);
    } else if (results[i].error().code != base::Errc::kNotFound) {  // else somebody was faster
      report(results[i].error());
    }
  }
  const auto say = [&](const std::string& name) { context.output.out_line("Destroyed " + name); };
  const Patience patience = patience_of(context.flags);
  if (patience.kind == Patience::Kind::kNone) {
    for (const std::string& name : going) say(name);
    return exit_code;
  }
  const base::Result<std::vector<std::string>> left =
      wait_until_gone(context, going, patience, say);
  if (!left) {
    report(left.error());
    return exit_code;
  }
  for (const std::string& name : *left) {
    report({base::Errc::kTimedOut, "timed out waiting for unit " + name + " to be gone"});
  }
  return exit_code;
}

}  // namespace flotilla::fctl
