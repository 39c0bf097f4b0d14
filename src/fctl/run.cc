#include "fctl/run.h"

#include "base/version.h"
#include "fctl/commands.h"
#include "fctl/flags.h"
#include "fctl/log_line.h"

namespace flotilla::fctl {
namespace {

constexpr int kWrongUsage = 2;

int unknown_command(Output& output, const std::string& word) {
  output.err_line("Error: unknown command \"" + word + "\" for \"fleetctl\"");
  const std::vector<std::string_view> names = suggestions_for(word);
  if (!names.empty()) {
    output.err("\nDid you mean this?\n");
    for (const std::string_view name : names) output.err_line("\t" + std::string(name));
    output.err("\n");
  }
  output.err_line("Run 'fleetctl --help' for usage.");
  return kWrongUsage;
}

int show_help(Output& output, const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    output.out(help_text());
    return 0;
  }
  const Command* command = find_command(arguments[0]);
  if (command == nullptr) return unknown_command(output, arguments[0]);
  output.out(help_text(*command));
  return 0;
}

base::Result<std::unique_ptr<client::FleetApi>> connect(const CommandLine& line,
                                                        const Environment& environment) {
  // Never the cluster on this side instead of the one behind the tunnel.
  if (!line.flags.text("tunnel").empty()) {
    return base::unsupported(
        "--tunnel is not built in; forward the API's socket with ssh -L and name it by --endpoint");
  }
  const std::string& driver = line.flags.text("driver");
  if (driver == "etcd")
    return base::unsupported("the etcd driver is not built in; use the API driver");
  if (driver != "API") return base::invalid("unrecognized driver \"{}\"", driver);
  std::string endpoint = line.flags.text("endpoint");
  if (const size_t comma = endpoint.find(','); comma != std::string::npos) {
    endpoint.resize(comma);
    environment.output.err_line(
        warning_line("multiple endpoints provided but only the first (" + endpoint + ") is used"));
  }
  return environment.connect(endpoint);
}

}  // namespace

int run(const std::vector<std::string>& words, const Environment& environment) {
  Output& output = environment.output;
  if (!words.empty() && (words[0] == "--version" || words[0] == "-v")) {
    output.out_line(std::string("fleetctl version ") + base::kVersion);
    return 0;
  }
  const base::Result<CommandLine> line = parse_command_line(words, environment.variable);
  if (!line) {
    output.err_line("Error: " + line.error().message);
    output.err_line("Run 'fleetctl --help' for usage.");
    return kWrongUsage;
  }
  const bool wants_help =
      line->flags.is_set("help") || line->flags.is_set("h") || line->flags.is_set("version");
  if (line->command.empty()) return show_help(output, {});
  const Command* command = find_command(line->command);
  if (command == nullptr) return unknown_command(output, line->command);
  if (wants_help) return show_help(output, {std::string(command->name)});
  if (command->name == "help") return show_help(output, line->arguments);
  if (command->name == "version") {
    output.out_line(std::string("fleetctl version ") + base::kVersion);
    return 0;
  }
  base::Result<std::unique_ptr<client::FleetApi>> api = connect(*line, environment);
  if (!api) {
    output.err_line("Unable to initialize client: " + api.error().message);
    return 1;
  }
  Context context{**api,       output,         environment.pacer, environment.read_file,
                  line->flags, line->arguments};
  return command->run(context);
}

}  // namespace flotilla::fctl
