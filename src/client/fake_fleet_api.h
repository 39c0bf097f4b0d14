// A cluster of one machine behind the FleetApi seam, in memory: a unit reaches its desired state
// after `polls_until_done` looks at it, unless its name is in `stuck`.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/fleet_api.h"

namespace flotilla::client {

class FakeFleetApi final : public FleetApi {
 public:
  base::Result<std::vector<Unit>> units() override;
  base::Result<std::optional<Unit>> unit(const std::string& name) override;
  base::Status create_unit(const Unit& unit) override;
  base::Status set_desired_state(const std::string& name, const std::string& state) override;
  base::Status destroy_unit(const std::string& name) override;
  base::Result<std::vector<UnitState>> unit_states() override;
  base::Result<std::vector<UnitState>> unit_states_of(const std::string& name) override;
  base::Result<std::vector<Machine>> machines() override;
  base::Result<StatusText> unit_status(const std::string& name) override;
  base::Status unit_log(const std::string& name, int lines, bool follow,
                        const std::function<void(std::string_view)>& sink) override;

  std::vector<Machine> machine_list{{"113f16a7aaaabbbbccccddddeeeeffff", "192.0.2.10", {}}};
  std::map<std::string, Unit> unit_map;
  std::map<std::string, UnitState> state_map;  // what systemd reports, set when a unit is launched
  std::string active_state_when_launched = "active";
  std::set<std::string> stuck;
  int polls_until_done = 2;
  base::Error failure;  // returned by every call while its message is not empty
  std::vector<std::string> calls;

 private:
  base::Status check() const;
  void progress(Unit& unit);

  std::map<std::string, int> polls_;
};

}  // namespace flotilla::client
