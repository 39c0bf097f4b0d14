#include "fctl/machine_names.h"

#include "fctl/waiting.h"

namespace flotilla::fctl {

MachineNames::MachineNames(const std::vector<client::Machine>& machines) {
  for (const client::Machine& machine : machines) addresses_[machine.id] = machine.primary_ip;
}

std::string MachineNames::shown(const std::string& id, bool full) const {
  if (id.empty()) return "-";
  client::Machine machine;
  machine.id = id;
  if (const auto found = addresses_.find(id); found != addresses_.end())
    machine.primary_ip = found->second;
  return machine_label(machine, full);
}

}  // namespace flotilla::fctl
