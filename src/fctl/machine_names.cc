#include "fctl/machine_names.h"

namespace flotilla::fctl {

std::string machine_label(const client::Machine& machine, bool full) {
  std::string label = full ? machine.id : machine.id.substr(0, 8) + "...";
  if (!machine.primary_ip.empty()) label += "/" + machine.primary_ip;
  return label;
}

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
