#include "fctl/help.h"

#include <algorithm>

#include "base/version.h"

namespace flotilla::fctl {
namespace {

constexpr std::string_view kWhatItIs =
    "fleetctl is a command-line interface to fleet, the cluster-wide CoreOS init system.";

// Of the global options, or of those with these names.
std::string option_lines(const std::vector<std::string_view>* names) {
  std::string text;
  for (const Flag& flag : all_flags()) {
    const bool wanted = names == nullptr
                            ? flag.scope == Flag::Scope::kGlobal
                            : std::find(names->begin(), names->end(), flag.name) != names->end();
    if (wanted) text += fmt::format("\t--{}={}\t{}\n", flag.name, flag.initial, flag.meaning);
  }
  return text;
}

}  // namespace

std::string short_help_text() {
  std::string text = fmt::format(
      "{}\n\nUsage:\n  fleetctl [flags]\n  fleetctl [command]\n\nAvailable Commands:\n", kWhatItIs);
  for (const Command& command : all_commands()) {
    if (command.listed != Command::Listed::kYes) continue;
    text += fmt::format("  {:<15} {}\n", command.name, command.summary);
  }
  text += "\nFlags:\n";
  for (const Flag& flag : all_flags()) {
    if (flag.scope != Flag::Scope::kGlobal) continue;
    text += fmt::format("      --{:<25} {}\n", flag.name, flag.meaning);
  }
  return text + "\nUse \"fleetctl [command] --help\" for more information about a command.\n";
}

std::string help_text() {
  std::string text = fmt::format(
      "NAME:\n\tfleetctl - {}\n\n"
      "USAGE:\n\tfleetctl [global options] <command> [command options] [arguments...]\n\n"
      "VERSION:\n\t{}\n\nCOMMANDS:\n",
      kWhatItIs, base::kVersion);
  for (const Command& command : all_commands()) {
    if (command.listed == Command::Listed::kNo) continue;
    text += fmt::format("\t{}\t{}{}\n", command.name, command.name.size() < 8 ? "\t" : "",
                        command.summary);
  }
  text += "\nGLOBAL OPTIONS:\n" + option_lines(nullptr);
  text +=
      "\nGlobal options can also be configured via upper-case environment variables prefixed with "
      "\"FLEETCTL_\"\nFor example, \"some-flag\" => \"FLEETCTL_SOME_FLAG\"\n\n"
      "Run \"fleetctl help <command>\" for more details on a specific command.\n";
  return text;
}

std::string help_text(const Command& command) {
  std::string text = fmt::format("NAME:\n\t{} - {}\n\nUSAGE:\n\tfleetctl {} {}\n", command.name,
                                 command.summary, command.name, command.usage);
  if (!command.description.empty())
    text += fmt::format("\nDESCRIPTION:\n\t{}\n", command.description);
  if (!command.flags.empty()) text += "\nOPTIONS:\n" + option_lines(&command.flags);
  text += "\nGLOBAL OPTIONS:\n" + option_lines(nullptr);
  return text;
}

}  // namespace flotilla::fctl
