#include "fctl/completion.h"

#include <algorithm>

#include "fctl/commands.h"

namespace flotilla::fctl {
namespace {

std::string words_of(Flag::Scope scope, const std::vector<std::string_view>& names) {
  std::string text;
  for (const Flag& flag : all_flags()) {
    if (flag.scope != scope) continue;
    const bool wanted = scope == Flag::Scope::kGlobal ||
                        std::find(names.begin(), names.end(), flag.name) != names.end();
    if (!wanted || flag.name.size() < 2) continue;
    if (!text.empty()) text += ' ';
    text += "--" + std::string(flag.name) + (flag.kind == Flag::Kind::kBoolean ? "" : "=");
  }
  return text;
}

// The lines "    NAME) TEXT ;;" of a shell's case, for the commands that have a text.
template <typename Text>
std::string cases(Text text) {
  std::string lines;
  for (const Command& command : all_commands()) {
    const std::string body = text(command);
    if (!body.empty()) lines += fmt::format("    {}) {} ;;\n", command.name, body);
  }
  return lines;
}

std::string command_names() {
  std::string text;
  for (const Command& command : all_commands()) {
    if (command.listed != Command::Listed::kYes) continue;
    text += (text.empty() ? "" : " ") + std::string(command.name);
  }
  return text;
}

// What takes local files as well as units of the cluster.
bool takes_files(const Command& command) {
  for (const std::string_view name : {"submit", "load", "start", "restart", "overwrite"}) {
    if (command.name == name) return true;
  }
  return false;
}

std::string flag_cases() {
  return cases([&](const Command& command) {
    const std::string words = words_of(Flag::Scope::kCommand, command.flags);
    return words.empty() ? std::string() : fmt::format("flags=\"{}\"", words);
  });
}

// What stands for an argument of each command: the name of a function of the script.
std::string argument_cases() {
  return cases([](const Command& command) -> std::string {
    if (command.name == "ssh") return "_fleetctl_machines_and_units";
    if (command.name == "help") return "_fleetctl_commands";
    for (const std::string_view name : {"cordon", "drain", "uncordon"}) {
      if (command.name == name) return "_fleetctl_machines";
    }
    for (const std::string_view name : {"export", "fd-forward", "import"}) {
      if (command.name == name) return "_fleetctl_files";
    }
    if (takes_files(command)) return "_fleetctl_units_and_files";
    if (command.arguments == Command::Arguments::kUnits) return "_fleetctl_units";
    return {};
  });
}

// The scripts, with @NAME@ where something of the tables belongs.
constexpr std::string_view kBash = R"sh(# Completes command lines of fleetctl in bash.

# What the cluster has; silent where it cannot be asked.
_fleetctl_ask() { fleetctl "$1" --no-legend "--fields=$2" --full 2>/dev/null; }
_fleetctl_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }
_fleetctl_units() { _fleetctl_words "$(_fleetctl_ask list-unit-files unit)"; }
_fleetctl_files() { mapfile -t COMPREPLY < <(compgen -f -- "$word"); }
_fleetctl_commands() { _fleetctl_words "$commands"; }
_fleetctl_units_and_files() {
  mapfile -t COMPREPLY < <(
    compgen -W "$(_fleetctl_ask list-unit-files unit)" -- "$word"
    compgen -f -- "$word"
  )
}
_fleetctl_machines() { _fleetctl_words "$(_fleetctl_ask list-machines machine)"; }
_fleetctl_machines_and_units() {
  _fleetctl_words "$(_fleetctl_ask list-machines machine) $(_fleetctl_ask list-unit-files unit)"
}

_fleetctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' flags='' i
  local commands="@COMMANDS@"
  local global="@GLOBAL@"
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* && ${COMP_WORDS[i]} != = && ${COMP_WORDS[i - 1]} != = ]]; then
      command=${COMP_WORDS[i]}
      break
    fi
  done
  case $command in
@FLAGS@  esac
  if [[ $word == -* ]]; then
    _fleetctl_words "$flags $global"
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
  fi
  case $command in
    '') _fleetctl_commands ;;
@ARGUMENTS@  esac
  return 0
}
complete -F _fleetctl fleetctl
)sh";

constexpr std::string_view kZsh = R"sh(#compdef fleetctl
# Completes command lines of fleetctl in zsh.

# What the cluster has; silent where it cannot be asked.
_fleetctl_ask() { fleetctl "$1" --no-legend "--fields=$2" --full 2>/dev/null }
_fleetctl_units() { compadd -- ${(f)"$(_fleetctl_ask list-unit-files unit)"} }
_fleetctl_files() { _files }
_fleetctl_commands() { _describe command commands }
_fleetctl_units_and_files() {
  _fleetctl_units
  _files
}
_fleetctl_machines() { compadd -- ${(f)"$(_fleetctl_ask list-machines machine)"} }
_fleetctl_machines_and_units() {
  _fleetctl_machines
  _fleetctl_units
}

_fleetctl() {
  local command= flags= i
  local -a commands
  commands=(
@DESCRIBED@  )
  local global="@GLOBAL@"
  for ((i = 2; i < CURRENT; i++)); do
    if [[ ${words[i]} != -* ]]; then
      command=${words[i]}
      break
    fi
  done
  case $command in
@FLAGS@  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    compadd -S '' -- ${=flags} ${=global}
    return
  fi
  case $command in
    '') _fleetctl_commands ;;
@ARGUMENTS@  esac
}

if [[ ${funcstack[1]-} == _fleetctl ]]; then
  _fleetctl "$@"
elif (( $+functions[compdef] )); then
  compdef _fleetctl fleetctl
fi
)sh";

std::string described_commands() {
  std::string lines;
  for (const Command& command : all_commands()) {
    if (command.listed != Command::Listed::kYes) continue;
    lines += fmt::format("    '{}:{}'\n", command.name, command.summary);
  }
  return lines;
}

std::string filled(std::string_view script) {
  const std::pair<std::string_view, std::string> parts[] = {
      {"@COMMANDS@", command_names()},
      {"@GLOBAL@", words_of(Flag::Scope::kGlobal, {})},
      {"@FLAGS@", flag_cases()},
      {"@ARGUMENTS@", argument_cases()},
      {"@DESCRIBED@", described_commands()},
  };
  std::string text(script);
  for (const auto& [mark, part] : parts) {
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), part);
      at += part.size();
    }
  }
  return text;
}

}  // namespace

std::string bash_completion() { return filled(kBash); }
std::string zsh_completion() { return filled(kZsh); }

int cmd_completion(const Environment& environment, const CommandLine& line) {
  if (line.arguments == std::vector<std::string>{"bash"}) {
    environment.output.out(bash_completion());
  } else if (line.arguments == std::vector<std::string>{"zsh"}) {
    environment.output.out(zsh_completion());
  } else {
    environment.output.err_line("Name one shell: bash or zsh");
    return 2;
  }
  return 0;
}

}  // namespace flotilla::fctl
