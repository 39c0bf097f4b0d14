#include "fctl/run.h"

#include <algorithm>

#include "base/version.h"
#include "fctl/commands.h"
#include "fctl/connect.h"
#include "fctl/flags.h"
#include "fctl/help.h"
#include "fctl/patterns.h"

namespace flotilla::fctl {
namespace {

constexpr int kWrongUsage = 2;

// "\n\nDid you mean this?\n\tNAME\n", or nothing.
template <typename Names>
std::string did_you_mean(const Names& names) {
  if (names.empty()) return {};
  std::string text = "\n\nDid you mean this?\n";
  for (const auto& name : names) text += fmt::format("\t{}\n", name);
  return text;
}

int refuse_command(Output& output, const std::string& word) {
  const std::string why = fmt::format("unknown command \"{}\" for \"fleetctl\"{}", word,
                                      did_you_mean(suggestions_for(word)));
  output.err_line("Error: " + why);
  output.err_line("Run 'fleetctl --help' for usage.");
  output.err_line("cannot execute cmdFleet: " + why);
  return kWrongUsage;
}

int refuse_line(Output& output, const CommandLine& line, const std::string& why) {
  const Command* command = find_command(line.command);
  output.out(command == nullptr ? help_text() : help_text(*command));
  std::string meant;
  if (const size_t dashes = why.find("unknown flag: --"); dashes == 0) {
    meant = did_you_mean(flags_like(std::string_view(why).substr(16)));
  }
  output.err_line("Error: " + why + meant);
  output.err_line("");
  output.err_line("cannot execute cmdFleet: " + why);
  return kWrongUsage;
}

// Scripts pass flags to commands that do not have them and expect them to go on.
void warn_of_strange_flags(Output& output, const Command& command, const CommandLine& line) {
  for (const Flag& flag : all_flags()) {
    const auto& given = line.flags_in_words;
    if (flag.scope == Flag::Scope::kGlobal ||
        std::find(given.begin(), given.end(), flag.name) == given.end() ||
        std::find(command.flags.begin(), command.flags.end(), flag.name) != command.flags.end()) {
      continue;
    }
    output.err_line(
        fmt::format("WARNING: --{} has no effect on fleetctl {}", flag.name, command.name));
  }
}

int run_command(const Command& command, const CommandLine& line, const Environment& environment) {
  Output& output = environment.output;
  warn_of_strange_flags(output, command, line);
  if (command.run_alone != nullptr) return command.run_alone(environment, line);
  const base::Result<std::shared_ptr<client::FleetApi>> api = connect(line.flags, environment);
  if (!api) {
    output.err_line("Unable to initialize client: " + api.error().message);
    return 1;
  }
  Context context{**api, environment, line.flags, line.arguments};
  if (command.arguments == Command::Arguments::kUnits) {
    if (const base::Status expanded = expand_patterns(context); !expanded) {
      output.err_line("Error retrieving list of units from repository: " +
                      expanded.error().message);
      return 1;
    }
  }
  return command.run(context);
}

}  // namespace

int cmd_version(const Environment& environment, const CommandLine&) {
  environment.output.out_line(std::string("fleetctl version ") + base::kVersion);
  return 0;
}

int cmd_help(const Environment& environment, const CommandLine& line) {
  if (line.arguments.empty()) {
    environment.output.out(help_text());
    return 0;
  }
  const Command* command = find_command(line.arguments[0]);
  if (command == nullptr) return refuse_command(environment.output, line.arguments[0]);
  environment.output.out(help_text(*command));
  return 0;
}

int cmd_verify(const Environment& environment, const CommandLine&) {
  environment.output.err_line("Command \"verify\" is deprecated, DEPRECATED - No longer works");
  environment.output.err_line(
      "WARNING: The signed/verified units feature is DEPRECATED and cannot be used.");
  return 2;
}

int run(const std::vector<std::string>& words, const Environment& environment) {
  Output& output = environment.output;
  CommandLine line;
  if (!words.empty() && (words[0] == "--version" || words[0] == "-v")) {
    return cmd_version(environment, line);
  }
  const base::Status parsed = parse_command_line(words, environment.variable, line);
  for (const std::string& warning : line.warnings) output.err_line("WARNING: " + warning);
  if (!parsed) return refuse_line(output, line, parsed.error().message);
  const bool wants_help =
      line.flags.is_set("help") || line.flags.is_set("h") || line.flags.is_set("version");
  if (line.command.empty()) {
    output.out(wants_help ? help_text() : short_help_text());
    return 0;
  }
  const Command* command = find_command(line.command);
  if (command == nullptr) return refuse_command(output, line.command);
  if (wants_help) {
    output.out(help_text(*command));
    return 0;
  }
  return run_command(*command, line, environment);
}

}  // namespace flotilla::fctl
