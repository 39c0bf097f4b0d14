#include <optional>

#include "fctl/commands.h"
#include "fctl/remote.h"
#include "fctl/ssh.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {
namespace {

// The address of the machine that runs the unit; empty if it runs nowhere or that is not known.
base::Result<std::string> address_of_unit(Context& context, const std::string& argument) {
  FLOTILLA_ASSIGN(const std::optional<client::Unit> unit, context.api.unit(unit_name_of(argument)));
  if (!unit) return base::not_found("unit does not exist");
  if (is_global(*unit)) return base::invalid("global units unsupported");
  if (unit->machine_id.empty()) return std::string();
  const base::Result<client::Machine> machine = find_machine(context, unit->machine_id);
  return machine ? machine->primary_ip : std::string();
}

// Whether the answer is that there is no such thing; else it is not known.
bool is_answer(const base::Error& error) {
  return error.code == base::Errc::kNotFound || error.code == base::Errc::kInvalid;
}

// The first argument may be the beginning of a machine's id, or a unit.
base::Result<std::string> address_of_either(Context& context) {
  if (context.arguments.empty()) return base::invalid("one machine or unit must be provided");
  const std::string& word = context.arguments[0];
  const base::Result<client::Machine> machine = find_machine(context, word);
  if (!machine && !is_answer(machine.error())) return base::unexpected(machine.error());
  const base::Result<std::string> unit = address_of_unit(context, word);
  if (!unit && !is_answer(unit.error())) return base::unexpected(unit.error());
  if (machine && unit) {
    return base::invalid(
        "ambiguous argument, both machine and unit found for `{}`.\nPlease use flag `--machine` or "
        "`--unit` to refine the search",
        word);
  }
  if (machine) return machine->primary_ip;
  if (unit) return *unit;
  return base::not_found("could not find matching unit or machine");
}

base::Result<std::string> find_address(Context& context) {
  if (const std::string& machine = context.flags.text("machine"); !machine.empty()) {
    FLOTILLA_ASSIGN(const client::Machine found, find_machine(context, machine));
    return found.primary_ip;
  }
  if (const std::string& unit = context.flags.text("unit"); !unit.empty()) {
    return address_of_unit(context, unit);
  }
  FLOTILLA_ASSIGN(std::string address, address_of_either(context));
  context.arguments.erase(context.arguments.begin());
  return address;
}

}  // namespace

int cmd_ssh(Context& context) {
  Output& output = context.output;
  if (!context.flags.text("machine").empty() && !context.flags.text("unit").empty()) {
    output.err_line("Both machine and unit flags provided, please specify only one.");
    return 1;
  }
  const base::Result<std::string> address = find_address(context);
  if (!address) {
    output.err_line("Unable to proceed: " + address.error().message);
    return 1;
  }
  if (address->empty()) {
    output.err_line("Could not determine address of machine.");
    return 1;
  }
  const base::Result<SshSettings> settings = ssh_settings(context.flags, context.environment);
  if (!settings) {
    output.err_line("Failed building SSH client: " + settings.error().message);
    return 1;
  }
  const std::string command = fmt::format("{}", fmt::join(context.arguments, " "));
  const base::Result<int> status =
      context.environment.execute(ssh_command(*settings, *address, command));
  if (status) return *status;
  output.err_line(command.empty() ? "Failed opening shell over SSH: " + status.error().message
                                  : "Failed running command over SSH: " + status.error().message);
  return command.empty() ? 1 : 255;
}

}  // namespace flotilla::fctl
