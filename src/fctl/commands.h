// The verbs of fleetctl: one file each, cmd_NAME.cc. Each returns the exit code of the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

int cmd_cat(Context& context);
int cmd_destroy(Context& context);
int cmd_explain(Context& context);
int cmd_export(Context& context);
int cmd_import(Context& context);
int cmd_journal(Context& context);
int cmd_list_machines(Context& context);
int cmd_list_unit_files(Context& context);
int cmd_list_units(Context& context);
int cmd_load(Context& context);
int cmd_cordon(Context& context);
int cmd_drain(Context& context);
int cmd_overwrite(Context& context);
int cmd_rebalance(Context& context);
int cmd_restart(Context& context);
int cmd_ssh(Context& context);
int cmd_start(Context& context);
int cmd_status(Context& context);
int cmd_stop(Context& context);
int cmd_submit(Context& context);
int cmd_uncordon(Context& context);
int cmd_unload(Context& context);

// Those that need no API.
int cmd_completion(const Environment& environment, const CommandLine& line);
int cmd_fd_forward(const Environment& environment, const CommandLine& line);
int cmd_help(const Environment& environment, const CommandLine& line);
int cmd_verify(const Environment& environment, const CommandLine& line);
int cmd_version(const Environment& environment, const CommandLine& line);

struct Command {
  // What its arguments are: patterns among units' names are replaced by the names they match.
  enum class Arguments { kNone, kUnits, kOther };
  // A hidden one is not listed, and no prefix means it.
  enum class Listed { kYes, kInHelp, kNo };

  std::string_view name;
  std::string_view summary;
  std::string_view usage;  // behind the name
  std::string_view description;
  std::vector<std::string_view> flags;  // that it has, beside the global ones
  Arguments arguments;
  int (*run)(Context&);
  int (*run_alone)(const Environment&, const CommandLine&) = nullptr;
  Listed listed = Listed::kYes;
};

const std::vector<Command>& all_commands();
// By name or unambiguous prefix; null if there is none or several.
const Command* find_command(std::string_view word);
// Names that a mistyped word may have meant: those that it begins, or that are close to it.
std::vector<std::string_view> suggestions_for(std::string_view word);

}  // namespace flotilla::fctl
