// The verbs of fleetctl: one file each, cmd_NAME.cc. Each returns the exit code of the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

int cmd_cat(Context& context);
int cmd_destroy(Context& context);
int cmd_journal(Context& context);
int cmd_list_machines(Context& context);
int cmd_list_unit_files(Context& context);
int cmd_list_units(Context& context);
int cmd_load(Context& context);
int cmd_start(Context& context);
int cmd_status(Context& context);
int cmd_stop(Context& context);
int cmd_submit(Context& context);
int cmd_unload(Context& context);

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view usage;  // behind the name
  std::string_view description;
  std::vector<std::string_view> flags;  // that it documents, beside the global ones
  int (*run)(Context&);                 // null for help and version, which need no API
};

const std::vector<Command>& all_commands();
// By name or unambiguous prefix; null if there is none or several.
const Command* find_command(std::string_view word);
// Names that a mistyped word may have meant: those that it begins, or that are close to it.
std::vector<std::string_view> suggestions_for(std::string_view word);

std::string help_text();
std::string help_text(const Command& command);

}  // namespace flotilla::fctl
