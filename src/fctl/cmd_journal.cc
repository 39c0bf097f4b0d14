#include <optional>

#include "fctl/commands.h"
#include "fctl/remote.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {
namespace {

bool follows(const Context& context) {
  return context.flags.is_set("follow") || context.flags.is_set("f");
}

int print_over_ssh(Context& context, const std::string& name, const std::string& machine) {
  const std::string& output = context.flags.text("output");
  std::vector<std::string> words;
  if (context.flags.is_set("sudo")) words.emplace_back("sudo");
  words.insert(words.end(), {"journalctl", "--unit", name, "--no-pager", "-n",
                             std::to_string(context.flags.number("lines")), "--output",
                             output.empty() ? "short" : output});
  if (follows(context)) words.emplace_back("-f");
  const base::Result<int> exit_status = run_on_machine(context, machine, words);
  if (exit_status) return *exit_status;
  context.output.err_line(exit_status.error().message);
  return 1;
}

int print_journal(Context& context, const client::Unit& unit, const std::string& machine) {
  // The API has one form; the others are journalctl's.
  const std::string& output = context.flags.text("output");
  if (!output.empty() && output != "short") return print_over_ssh(context, unit.name, machine);
  bool has_begun = false;
  const base::Status read = context.api.unit_log(
      unit.name, is_global(unit) ? machine : std::string(), context.flags.number("lines"),
      follows(context), [&](std::string_view text) {
        has_begun = true;
        context.output.out(text);
      });
  if (read) return 0;
  // What has been printed is not printed again from elsewhere.
  if (!has_begun && may_fall_back(read.error())) {
    return print_over_ssh(context, unit.name, machine);
  }
  context.output.err_line("Error retrieving the journal of unit " + unit.name + ": " +
                          read.error().message);
  return 1;
}

}  // namespace

int cmd_journal(Context& context) {
  Output& output = context.output;
  if (context.arguments.size() != 1) {
    output.err_line("One unit file must be provided.");
    return 1;
  }
  if (context.flags.number("lines") < 0) {
    output.err_line("--lines: expected a number that is not negative");
    return 2;
  }
  const std::string name = unit_name_of(context.arguments[0]);
  const base::Result<std::optional<client::Unit>> unit = context.api.unit(name);
  if (!unit) {
    output.err_line("Error retrieving Unit " + name + ": " + unit.error().message);
    return 1;
  }
  if (!*unit) {
    output.err_line("Unit " + name + " does not exist.");
    suggest_units(context, name);
    return 1;
  }
  const base::Result<std::vector<std::string>> machines = (*unit)->current_state == "inactive"
                                                              ? std::vector<std::string>()
                                                              : machines_of(context, **unit);
  if (!machines) {
    output.err_line(machines.error().message);
    return 1;
  }
  if (machines->empty()) {
    output.err_line("Unit " + name + " does not appear to be running.");
    return 1;
  }
  if (machines->size() > 1 && follows(context)) {
    output.err_line(fmt::format("Unit {} runs on {} machines; name one by --machine to follow it.",
                                name, machines->size()));
    return 1;
  }
  for (const std::string& machine : *machines) {
    if (machines->size() > 1) output.out_line("-- machine " + machine + " --");
    if (const int exit_status = print_journal(context, **unit, machine); exit_status != 0) {
      return exit_status;
    }
  }
  return 0;
}

}  // namespace flotilla::fctl
