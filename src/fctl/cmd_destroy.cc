#include "fctl/commands.h"
#include "fctl/unit_args.h"
#include "fctl/waiting.h"

namespace flotilla::fctl {

int cmd_destroy(Context& context) {
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
  int exit_code = 0;
  const auto report = [&](const base::Error& error) {
    context.output.err_line("Error destroying units: " + error.message);
    exit_code = 1;
  };
  // All are asked for before the first is waited for: they stop side by side.
  std::vector<std::string> going;
  for (const client::Unit& unit : *units) {
    if (const base::Status gone = context.api.destroy_unit(unit.name); gone) {
      going.push_back(unit.name);
    } else if (gone.error().code != base::Errc::kNotFound) {  // else somebody was faster
      report(gone.error());
    }
  }
  for (const std::string& name : going) {
    if (patience->kind != Patience::Kind::kNone) {
      if (const base::Status waited = wait_until_gone(context, name, *patience); !waited) {
        report(waited.error());
        continue;
      }
    }
    context.output.out_line("Destroyed " + name);
  }
  return exit_code;
}

}  // namespace flotilla::fctl
