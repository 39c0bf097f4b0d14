// Machine ids of a list as fleetctl shows them: short, with the address, "-" if there is none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/schema.h"

namespace flotilla::fctl {

// "113f16a7.../192.0.2.10": the first 8 characters (the whole id if `full`) and the address, if
// known.
std::string machine_label(const client::Machine& machine, bool full);

class MachineNames {
 public:
  explicit MachineNames(const std::vector<client::Machine>& machines);
  std::string shown(const std::string& id, bool full) const;

 private:
  std::map<std::string, std::string> addresses_;
};

}  // namespace flotilla::fctl
