// LeaseService: fleet-lease.service on one machine: the LeaseGuard that ships, started with the
// first unit that is bound to it, and what the service manager does for such units. It goes on
// where the machine's fleetd is dead.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "agent/lease_guard.h"
#include "bus/fake_unit_manager.h"
#include "sim/machine_loop.h"

namespace flotilla::sim {

class LeaseService {
 public:
  // `directory`: of the unit files. Requires: loop and manager outlive it.
  LeaseService(MachineLoop& loop, bus::FakeUnitManager& manager, std::string directory,
               std::string boot_id);
  ~LeaseService();
  LeaseService(const LeaseService&) = delete;
  LeaseService& operator=(const LeaseService&) = delete;

  // What the service manager tells of any unit.
  void on_unit_changed(const std::string& unit);

 private:
  bool is_bound(const std::string& unit) const;
  void tell_bound();
  void start();
  void look();
  void end(int exit_code);

  MachineLoop& loop_;
  bus::FakeUnitManager& manager_;
  const std::string directory_;
  const std::string boot_id_;
  std::set<std::string> bound_;  // units that run, or are about to
  std::unique_ptr<agent::LeaseGuard> guard_;
  base::RegistrationPtr timer_;
  base::RegistrationPtr poll_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::sim
