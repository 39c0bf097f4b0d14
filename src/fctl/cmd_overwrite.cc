#include <optional>

#include "fctl/arrival.h"
#include "fctl/commands.h"
#include "fctl/unit_args.h"
#include "fctl/waiting.h"
#include "unit/fleet_requirements.h"

namespace flotilla::fctl {
namespace {

using Options = std::vector<unit::UnitOption>;

client::Unit with_options(const client::Unit& unit, Options options) {
  client::Unit changed = unit;
  changed.options = std::move(options);
  return changed;
}

// The desired state decides and not the current one, which a global unit does not have.
void announce(Context& context, const client::Unit& unit, const std::string& path) {
  if (unit.desired_state == "loaded") context.output.out_line("Reloading unit(" + path + ")");
  if (unit.desired_state == "launched") context.output.out_line("Restarting unit(" + path + ")");
}

// Waits until the unit is up with its text, and says so.
base::Status settle(Context& context, const client::Unit& unit, Patience patience) {
  FLOTILLA_TRY(wait_for_arrival(context, unit, patience));
  if (is_global(unit) || unit.desired_state == "inactive") return {};
  return wait_for_states(context, {unit.name}, unit.desired_state, patience);
}

// Puts the old file back after the new one did not come up.
void roll_back(Context& context, const client::Unit& old, Patience patience) {
  Output& output = context.output;
  const base::Status replaced = context.api.replace_contents(old);
  if (!replaced) {
    output.err_line("Error returning unit(" + old.name +
                    ") to its old file: " + replaced.error().message);
    return;
  }
  output.err_line("Returned unit(" + old.name + ") to its old file.");
  if (const base::Status settled = settle(context, old, patience); !settled) {
    output.err_line("Error waiting for units: " + settled.error().message);
  }
}

// Returns whether all is well.
bool overwrite(Context& context, const client::Unit& old, Options options,
               const std::string& path) {
  Output& output = context.output;
  const client::Unit fresh = with_options(old, std::move(options));
  if (old.desired_state == "launched" || is_global(old)) {
    output.out_line("Stop unit(" + old.name + ") first, so that we can overwrite unit file");
  }
  output.out_line("Recreating unit(" + path + ")");
  base::Status replaced = unit::validate_fleet_options(fresh.options);
  if (replaced) replaced = context.api.replace_contents(fresh);
  if (!replaced) {
    output.err_line("Error creating unit: " + replaced.error().message);
    return false;
  }
  announce(context, fresh, path);
  const Patience patience = patience_of(context.flags);
  if (patience.kind == Patience::Kind::kNone) {
    output.out_line((is_global(old) ? "Triggered global unit " : "Triggered unit ") + old.name +
                    " overwrite");
    return true;
  }
  const base::Status settled = settle(context, fresh, patience);
  if (settled) return true;
  output.err_line("Error waiting for units: " + settled.error().message);
  if (!context.flags.is_set("no-rollback")) roll_back(context, old, patience);
  return false;
}

}  // namespace

int cmd_overwrite(Context& context) {
  Output& output = context.output;
  if (context.arguments.empty()) {
    output.err_line("No units given");
    return 0;
  }
  int exit_code = 0;
  for (const std::string& argument : context.arguments) {
    const std::string path = with_default_type(argument);
    const std::string name = unit_name_of(argument);
    const base::Result<std::optional<client::Unit>> unit = context.api.unit(name);
    if (!unit) {
      output.err_line("Error retrieving unit(" + name + ") from registry: " + unit.error().message);
      return 1;
    }
    if (!*unit) {
      output.out_line("Unit(" + name + ") can not be found in registry, nothing to do with it.");
      continue;
    }
    base::Result<LocalFile> local = find_local_file(context, path, name);
    if (!local) {
      output.err_line("Error creating unit: " + local.error().message);
      return 1;
    }
    if (!local->options || same_options((*unit)->options, *local->options)) {
      output.out_line("The unit(" + name +
                      ") has nothing different between in registory and local unit file, "
                      "ignoring.");
      continue;
    }
    warn_if_different(context, (*unit)->options, *local->options, name, path, local->kind);
    if (!overwrite(context, **unit, std::move(*local->options), path)) exit_code = 1;
  }
  return exit_code;
}

}  // namespace flotilla::fctl
