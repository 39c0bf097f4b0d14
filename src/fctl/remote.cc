#include "fctl/remote.h"

#include <algorithm>

#include "fctl/ssh.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {
namespace {

bool is_local(Context& context, const std::string& machine_id) {
  const base::Result<std::string> id = context.environment.read_file("/etc/machine-id");
  return id && !machine_id.empty() && id->substr(0, id->find('\n')) == machine_id;
}

}  // namespace

base::Result<int> run_on_machine(Context& context, const std::string& machine_id,
                                 const std::vector<std::string>& words) {
  if (is_local(context, machine_id)) {
    base::Result<int> status = context.environment.execute(words);
    if (!status)
      return base::unavailable("Unable to run command locally: {}", status.error().message);
    return status;
  }
  const base::Result<client::Machine> machine = find_machine(context, machine_id);
  if (!machine) return base::unavailable("Error getting machine IP: {}", machine.error().message);
  if (machine->primary_ip.empty()) {
    return base::unavailable("Error getting machine IP: the address of machine {} is not known",
                             machine->id);
  }
  const base::Result<SshSettings> settings = ssh_settings(context.flags, context.environment);
  if (!settings) {
    return base::unavailable("Unable to SSH to remote host: {}", settings.error().message);
  }
  base::Result<int> status = context.environment.execute(
      ssh_command(*settings, machine->primary_ip, remote_command_of(words)));
  if (!status) {
    return base::unavailable("Unable to SSH to remote host: {}", status.error().message);
  }
  // ssh's own failure: it has said why. The programs that are run end with less.
  if (*status == 255) {
    context.output.err_line("Unable to SSH to remote host: no connection to " +
                            machine->primary_ip);
  }
  return status;
}

bool may_fall_back(const base::Error& error) {
  switch (error.code) {
    case base::Errc::kUnavailable:
    case base::Errc::kTimedOut:
    case base::Errc::kUnsupported:
    case base::Errc::kInternal:
      return true;
    default:
      return false;
  }
}

bool is_surely_undone(const base::Error& error) {
  return error.code == base::Errc::kUnavailable || error.code == base::Errc::kUnsupported;
}

base::Result<client::Machine> find_machine(Context& context, const std::string& beginning) {
  FLOTILLA_ASSIGN(const std::vector<client::Machine> machines, context.api.machines());
  const client::Machine* found = nullptr;
  for (const client::Machine& machine : machines) {
    if (machine.id.compare(0, beginning.size(), beginning) != 0) continue;
    if (found != nullptr) return base::invalid("found more than one machine");
    found = &machine;
  }
  if (found == nullptr) return base::not_found("machine does not exist");
  return *found;
}

base::Result<std::vector<std::string>> machines_of(Context& context, const client::Unit& unit) {
  std::vector<std::string> ids;
  if (is_global(unit)) {
    FLOTILLA_ASSIGN(const std::vector<client::UnitState> states,
                    context.api.unit_states_of(unit.name));
    for (const client::UnitState& state : states) ids.push_back(state.machine_id);
  } else if (!unit.machine_id.empty()) {
    ids.push_back(unit.machine_id);
  }
  if (const std::string& wanted = context.flags.text("machine"); !wanted.empty()) {
    ids.erase(std::remove_if(
                  ids.begin(), ids.end(),
                  [&](const std::string& id) { return id.compare(0, wanted.size(), wanted) != 0; }),
              ids.end());
    if (ids.empty()) {
      return base::not_found("Unit {} does not run on machine {}.", unit.name, wanted);
    }
  }
  return ids;
}

}  // namespace flotilla::fctl
