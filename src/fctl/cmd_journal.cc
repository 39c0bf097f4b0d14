#include <optional>

#include "fctl/commands.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {

int cmd_journal(Context& context) {
  if (context.arguments.size() != 1) {
    context.output.err_line("One unit file must be provided.");
    return 1;
  }
  const base::Result<int> lines = context.flags.number("lines");
  if (!lines || *lines < 0) {
    context.output.err_line(lines ? "--lines: expected a number that is not negative"
                                  : lines.error().message);
    return 2;
  }
  if (const std::string& mode = context.flags.text("output"); mode != "short") {
    context.output.err_line("--output=" + mode + " is not built in; use --output=short");
    return 2;
  }
  const std::string name = unit_name_of(context.arguments[0]);
  const base::Result<std::optional<client::Unit>> unit = context.api.unit(name);
  if (!unit) {
    context.output.err_line("Error retrieving Unit " + name + ": " + unit.error().message);
    return 1;
  }
  if (!*unit) {
    context.output.err_line("Unit " + name + " does not exist.");
    return 1;
  }
  if ((*unit)->current_state == "inactive") {
    context.output.err_line("Unit " + name + " does not appear to be running.");
    return 1;
  }
  const bool follow = context.flags.is_set("follow") || context.flags.is_set("f");
  const base::Status read = context.api.unit_log(
      name, *lines, follow, [&context](std::string_view text) { context.output.out(text); });
  if (!read) {
    context.output.err_line("Error retrieving the journal of unit " + name + ": " +
                            read.error().message);
    return 1;
  }
  return 0;
}

}  // namespace flotilla::fctl
