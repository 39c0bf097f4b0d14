#include "fctl/commands.h"

#include <algorithm>
#include <numeric>

#include "base/version.h"

namespace flotilla::fctl {
namespace {

constexpr const char* kWaiting =
    "Waits until the units have got there, unless --no-block is given; --block-attempts limits the "
    "wait.";

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string option_lines(bool global, const std::vector<std::string_view>& names) {
  std::string text;
  for (const Flag& flag : all_flags()) {
    const bool wanted =
        global ? flag.global : std::find(names.begin(), names.end(), flag.name) != names.end();
    if (!wanted) continue;
    const std::string_view initial = flag.initial;
    text += fmt::format("\t--{}={}\t{}\n", flag.name, initial.empty() ? "" : initial, flag.meaning);
  }
  return text;
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<std::string_view> creating = {"block-attempts", "no-block", "replace",
                                                         "sign"};
  static const std::vector<std::string_view> waiting = {"block-attempts", "no-block"};
  static const std::vector<Command> commands = {
      {"cat",
       "Output the contents of a submitted unit",
       "UNIT",
       "Prints the unit as it is stored in the cluster, not a local file.",
       {},
       cmd_cat},
      {"destroy", "Destroy one or more units in the cluster", "UNIT...",
       "Stops the units where they run and removes them from the cluster. Unknown units are passed "
       "over.",
       waiting, cmd_destroy},
      {"help", "Show a list of commands or help for one command", "[COMMAND]", "", {}, nullptr},
      {"journal",
       "Print the journal of a unit in the cluster to stdout",
       "[--lines=N] [-f|--follow] UNIT",
       "The machine that runs the unit answers; no SSH is needed.",
       {"lines", "follow", "f", "sudo", "output", "ssh-port"},
       cmd_journal},
      {"list-machines",
       "Enumerate the current hosts in the cluster",
       "[-l|--full] [--no-legend]",
       "Columns: machine, ip, metadata.",
       {"full", "l", "no-legend", "fields"},
       cmd_list_machines},
      {"list-unit-files",
       "List the units that exist in the cluster.",
       "[--full] [--no-legend]",
       "Columns: unit, hash, dstate, state, target; also desc, global, tmachine.",
       {"full", "no-legend", "fields"},
       cmd_list_unit_files},
      {"list-units",
       "List the current state of units in the cluster",
       "[-l|--full] [--no-legend]",
       "Columns: unit, machine, active, sub; also hash, load.",
       {"full", "l", "no-legend", "fields"},
       cmd_list_units},
      {"load", "Schedule one or more units in the cluster, first submitting them if necessary.",
       "UNIT...", kWaiting, creating, cmd_load},
      {"start",
       "Instruct systemd to start one or more units in the cluster, first submitting and loading "
       "if "
       "necessary.",
       "UNIT...", kWaiting, creating, cmd_start},
      {"status",
       "Output the status of one or more units in the cluster",
       "UNIT...",
       "Prints what `systemctl status` prints on the machine that runs the unit; exits as it does.",
       {"ssh-port"},
       cmd_status},
      {"stop", "Instruct systemd to stop one or more units in the cluster.", "UNIT...", kWaiting,
       waiting, cmd_stop},
      {"submit",
       "Upload one or more units to the cluster without starting them",
       "UNIT...",
       "A unit is a file, or an instance of a template that is a file or in the cluster.",
       {"replace", "sign"},
       cmd_submit},
      {"unload", "Unschedule one or more units in the cluster.", "UNIT...", kWaiting, waiting,
       cmd_unload},
      {"version", "Print the version and exit", "", "", {}, nullptr},
  };
  return commands;
}

const Command* find_command(std::string_view word) {
  const Command* found = nullptr;
  for (const Command& command : all_commands()) {
    if (command.name == word) return &command;
    if (word.empty() || command.name.substr(0, word.size()) != word) continue;
    if (found != nullptr) return nullptr;
    found = &command;
  }
  return found;
}

std::vector<std::string_view> suggestions_for(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Command& command : all_commands()) {
    const bool begins = command.name.substr(0, word.size()) == word;
    if (begins || edit_distance(command.name, word) <= 2) names.push_back(command.name);
  }
  return names;
}

std::string help_text() {
  std::string text =
      "NAME:\n\tfleetctl - fleetctl is a command-line interface to fleet, the cluster-wide CoreOS "
      "init system.\n\n"
      "USAGE:\n\tfleetctl [global options] <command> [command options] [arguments...]\n\n";
  text += fmt::format("VERSION:\n\t{}\n\nCOMMANDS:\n", base::kVersion);
  for (const Command& command : all_commands()) {
    text += fmt::format("\t{}\t{}{}\n", command.name, command.name.size() < 8 ? "\t" : "",
                        command.summary);
  }
  text += "\nGLOBAL OPTIONS:\n" + option_lines(true, {});
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
  if (!command.flags.empty()) text += "\nOPTIONS:\n" + option_lines(false, command.flags);
  text += "\nGLOBAL OPTIONS:\n" + option_lines(true, {});
  return text;
}

}  // namespace flotilla::fctl
