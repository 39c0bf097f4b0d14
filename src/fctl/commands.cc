#include "fctl/commands.h"

#include <algorithm>

#include "fctl/flags.h"

namespace flotilla::fctl {
namespace {

using Arguments = Command::Arguments;
using Listed = Command::Listed;
using Names = std::vector<std::string_view>;

constexpr const char* kWaiting =
    "Waits until the units have got there, unless --no-block is given; --block-attempts limits the "
    "wait.";

std::vector<Command> changing_commands() {
  const Names creating = {"block-attempts", "no-block", "replace", "sign"};
  const Names waiting = {"block-attempts", "no-block"};
  return {
      {"destroy", "Destroy one or more units in the cluster", "UNIT...",
       "Stops the units where they run and removes them from the cluster. Unknown units are passed "
       "over.",
       waiting, Arguments::kUnits, cmd_destroy},
      {"load", "Schedule one or more units in the cluster, first submitting them if necessary.",
       "UNIT...", kWaiting, creating, Arguments::kUnits, cmd_load},
      {"overwrite",
       "Replace the files of units in the cluster by local ones",
       "UNIT...",
       "A unit whose local file differs gets it at once and keeps its desired state; one that ran "
       "is "
       "restarted with it. A unit that does not come up with the new file gets the old one back.",
       {"block-attempts", "no-block", "no-rollback"},
       Arguments::kUnits,
       cmd_overwrite},
      {"restart",
       "Instruct systemd to restart one or more units in the cluster.",
       "[--machine=ID] UNIT...",
       "A unit that is loaded is started. A global unit is restarted on every machine, or on the "
       "one given.",
       {"block-attempts", "no-block", "machine", "ssh-port"},
       Arguments::kUnits,
       cmd_restart},
      {"start",
       "Instruct systemd to start one or more units in the cluster, first submitting and loading "
       "if necessary.",
       "UNIT...", kWaiting, creating, Arguments::kUnits, cmd_start},
      {"stop", "Instruct systemd to stop one or more units in the cluster.", "UNIT...", kWaiting,
       waiting, Arguments::kUnits, cmd_stop},
      {"submit",
       "Upload one or more units to the cluster without starting them",
       "UNIT...",
       "A unit is a file, or an instance of a template that is a file or in the cluster.",
       {"replace", "sign"},
       Arguments::kUnits,
       cmd_submit},
      {"unload", "Unschedule one or more units in the cluster.", "UNIT...", kWaiting, waiting,
       Arguments::kUnits, cmd_unload},
  };
}

std::vector<Command> machine_commands() {
  return {
      {"cordon",
       "Let no more units come to a machine",
       "MACHINE",
       "The machine is named by the beginning of its id. What runs there goes on.",
       {},
       Arguments::kOther,
       cmd_cordon},
      {"drain",
       "Move the units of a machine to others",
       "MACHINE",
       "Nothing comes to the machine any more, and each unit that another machine can take goes "
       "there; it runs at its new place before it is stopped at the old one, but for units with "
       "OnPartition=stop. Global units stay. Waits until all have gone, or none of those that are "
       "left can be taken by another machine; then it names them and exits 1.",
       {"block-attempts", "no-block"},
       Arguments::kOther,
       cmd_drain},
      {"rebalance",
       "Move units from the machines that have the most to those that have the least",
       "[--dry-run]",
       "Only where every rule of a unit allows it and the machines get closer to each other. A "
       "unit "
       "runs at its new place before it is stopped at the old one, but for units with "
       "OnPartition=stop. Waits until all have gone, and says what has moved; with --dry-run says "
       "what would.",
       {"dry-run", "block-attempts", "no-block"},
       Arguments::kNone,
       cmd_rebalance},
      {"uncordon",
       "Let units come to a machine again",
       "MACHINE",
       "",
       {},
       Arguments::kOther,
       cmd_uncordon},
  };
}

std::vector<Command> moving_commands() {
  return {
      {"export",
       "Write the whole registry to a file",
       "FILE|-",
       "Units with their contents and desired states, the machines' metadata set over the API, and "
       "what is cordoned, as one JSON document; - is standard output.",
       {},
       Arguments::kOther,
       cmd_export},
      {"import",
       "Bring an exported registry into the cluster",
       "[--replace] FILE|-",
       "Units that are there already as the file has them are left alone. If one is there with "
       "other contents or another desired state, nothing is imported; with --replace it becomes "
       "the file's. Units stay on their machines where that can be. - is standard input.",
       {"replace"},
       Arguments::kOther,
       cmd_import},
  };
}

std::vector<Command> listing_commands() {
  const Names lists = {"full", "l", "no-legend", "fields", "output", "watch"};
  return {
      {"list-machines", "Enumerate the current hosts in the cluster", "[--full] [--no-legend]",
       "Columns: machine, ip, metadata.", lists, Arguments::kNone, cmd_list_machines},
      {"list-unit-files", "List the units that exist in the cluster.", "[--full] [--no-legend]",
       "Columns: unit, hash, dstate, state, target; also desc, global, tmachine.", lists,
       Arguments::kNone, cmd_list_unit_files},
      {"list-units", "List the current state of units in the cluster", "[--full] [--no-legend]",
       "Columns: unit, machine, active, sub, uptime; also hash, load.", lists, Arguments::kNone,
       cmd_list_units},
  };
}

std::vector<Command> asking_commands() {
  return {
      {"cat",
       "Output the contents of a submitted unit",
       "UNIT",
       "Prints the unit as it is stored in the cluster, not a local file.",
       {},
       Arguments::kUnits,
       cmd_cat},
      {"explain",
       "Say for each machine why it may or may not run a unit",
       "UNIT",
       "",
       {"full", "l", "no-legend"},
       Arguments::kUnits,
       cmd_explain},
      {"journal",
       "Print the journal of a unit in the cluster to stdout",
       "[--lines=N] [--follow] [--machine=ID] UNIT",
       "The machine that runs the unit answers through the API; where that cannot be, journalctl "
       "is "
       "run there over SSH.",
       {"lines", "follow", "f", "machine", "ssh-port", "sudo", "output"},
       Arguments::kUnits,
       cmd_journal},
      {"ssh",
       "Open interactive shell on a machine in the cluster",
       "[--forward-agent] [--ssh-port=N] [--machine=ID|--unit=NAME] [MACHINE|UNIT] [COMMAND...]",
       "The machine is named by the beginning of its id, or by a unit that runs there. With a "
       "command, runs that and exits as it does. The system's ssh is used.",
       {"machine", "unit", "forward-agent", "A", "ssh-port"},
       Arguments::kOther,
       cmd_ssh},
      {"status",
       "Output the status of one or more units in the cluster",
       "[--machine=ID] UNIT...",
       "Prints what `systemctl status` prints on the machine that runs the unit; exits as it does.",
       {"machine", "ssh-port"},
       Arguments::kUnits,
       cmd_status},
  };
}

std::vector<Command> lonely_commands() {
  return {
      {"completion",
       "Print a script that completes command lines in a shell",
       "bash|zsh",
       "",
       {},
       Arguments::kOther,
       nullptr,
       cmd_completion,
       Listed::kNo},
      {"fd-forward",
       "Proxy stdin and stdout to a unix domain socket",
       "SOCKET",
       "Serves --tunnel on the other side.",
       {},
       Arguments::kOther,
       nullptr,
       cmd_fd_forward},
      {"help",
       "Show a list of commands or help for one command",
       "[COMMAND]",
       "",
       {},
       Arguments::kOther,
       nullptr,
       cmd_help},
      {"verify",
       "DEPRECATED - No longer works",
       "UNIT",
       "",
       {},
       Arguments::kOther,
       nullptr,
       cmd_verify,
       Listed::kInHelp},
      {"version",
       "Print the version and exit",
       "",
       "",
       {},
       Arguments::kOther,
       nullptr,
       cmd_version},
  };
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> all;
    for (std::vector<Command> some : {changing_commands(), machine_commands(), moving_commands(),
                                      listing_commands(), asking_commands(), lonely_commands()}) {
      for (Command& command : some) all.push_back(std::move(command));
    }
    std::sort(all.begin(), all.end(),
              [](const Command& a, const Command& b) { return a.name < b.name; });
    return all;
  }();
  return commands;
}

const Command* find_command(std::string_view word) {
  const Command* found = nullptr;
  for (const Command& command : all_commands()) {
    if (command.name == word) return &command;
    if (word.empty() || command.listed == Listed::kNo) continue;
    if (command.name.substr(0, word.size()) != word) continue;
    if (found != nullptr) return nullptr;
    found = &command;
  }
  return found;
}

std::vector<std::string_view> suggestions_for(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Command& command : all_commands()) {
    if (command.listed == Listed::kNo) continue;
    const bool begins = command.name.substr(0, word.size()) == word;
    if (begins || edit_distance(command.name, word) <= 2) names.push_back(command.name);
  }
  return names;
}

}  // namespace flotilla::fctl
