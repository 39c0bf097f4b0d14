// LeaseUnit: fleet-lease.service, to which the units that must not run twice are bound, so that
// they are stopped in time where fleetd is dead, too: the unit's file, the record that fleetd
// renews (lease_record.h), and the lines that bind a unit. Both files stand in the directory of the
// agent's unit files.
#pragma once

#include <string>
#include <string_view>

#include "agent/lease_record.h"
#include "base/fd.h"
#include "base/result.h"

namespace flotilla::agent {

inline constexpr const char* kLeaseUnit = "fleet-lease.service";

struct LeaseUnitOptions {
  std::string directory;       // of the agent's unit files
  std::string program;         // fleet-lease; empty: there is no such unit, and nothing is bound
  std::string manager_socket;  // of the service manager
};

class LeaseUnit {
 public:
  explicit LeaseUnit(LeaseUnitOptions options);

  bool is_used() const { return !options_.program.empty(); }
  // Writes the unit's file, once, and an empty record if there is none. Requires: the directory.
  base::Status prepare();
  std::string path() const;
  // The text of a unit that must not run twice, as it is written for the service manager.
  std::string bind(const std::string& text) const;
  // Until when they may run. One that cannot be written is logged: they are stopped then.
  void renew(const LeaseRecord& record);

 private:
  std::string record_path() const;
  std::string unit_text() const;

  const LeaseUnitOptions options_;
  base::Fd record_;
  bool is_prepared_ = false;
};

}  // namespace flotilla::agent
