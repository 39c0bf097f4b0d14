// A cluster of one machine behind the FleetApi seam, in memory: a unit reaches its desired state
// after `polls_until_done` looks at it, unless its name is in `stuck`.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "client/fleet_api.h"

namespace flotilla::client {

class FakeFleetApi final : public FleetApi {
 public:
  base::Result<std::vector<Unit>> units() override;
  base::Result<std::vector<Unit>> units_without_options() override { return units(); }
  base::Result<std::optional<Unit>> unit(const std::string& name) override;
  base::Result<std::vector<std::optional<Unit>>> units_named(
      const std::vector<std::string>& names) override;
  std::vector<base::Status> create_units(const std::vector<Unit>& units) override;
  std::vector<base::Status> set_desired_states(const std::vector<std::string>& names,
                                               const std::string& state) override;
  base::Status replace_contents(const Unit& unit) override;
  std::vector<base::Status> destroy_units(const std::vector<std::string>& names) override;
  base::Result<std::vector<UnitState>> unit_states() override;
  base::Result<std::vector<UnitState>> unit_states_of(const std::string& name) override;
  base::Result<std::vector<UnitState>> unit_states_named(
      const std::vector<std::string>& names) override;
  base::Result<std::vector<Machine>> machines() override;
  base::Status edit_metadata(const std::string& machine, const std::string& key,
                             const std::string& value) override;
  base::Result<std::vector<Machine>> metadata_edits() override;
  base::Result<bool> import_unit(const Unit& unit, bool replaces) override;
  base::Result<StatusText> unit_status(const std::string& name,
                                       const std::string& machine) override;
  base::Status unit_log(const std::string& name, const std::string& machine, const LogWish& wish,
                        const std::function<void(std::string_view)>& sink) override;
  base::Status restart_unit(const std::string& name, const std::string& machine) override;
  base::Result<Rebalance> rebalance_plan() override;
  base::Status rebalance() override;
  base::Result<std::vector<Eligibility>> explain(const std::string& name) override;
  base::Status wait_for_change(std::chrono::milliseconds at_most) override;

  std::vector<Machine> machine_list{{"113f16a7aaaabbbbccccddddeeeeffff", "192.0.2.10", {}}};
  std::map<std::string, Unit> unit_map;
  std::map<std::string, UnitState> state_map;  // what systemd reports, set when a unit is launched
  std::vector<UnitState> more_states;          // those of other machines
  std::string active_state_when_launched = "active";
  std::set<std::string> bad_hashes;  // of texts that fail when they are launched
  std::set<std::string> stuck;
  int polls_until_done = 2;
  base::Error failure;             // returned by every call while its message is not empty
  base::Error inspection_failure;  // returned by status, log and restart
  bool log_breaks = false;         // after its first lines
  int changes_left = -1;           // wait_for_change() fails at 0; has no events if negative
  std::function<void()> on_change;
  std::function<void()> on_machines;  // called by machines()
  std::vector<Eligibility> eligibilities;
  std::vector<Machine> edits;
  std::vector<Move> moves;
  bool moves_under_way = false;  // from when rebalance() was called
  std::vector<std::string> calls;

 private:
  base::Status check() const;
  base::Status check_inspection() const;
  void progress(Unit& unit);
  void report_launched(const Unit& unit);
  base::Status create_unit(const Unit& unit);

  std::mutex log_mutex_;  // logs are followed by several threads
  std::map<std::string, int> polls_;
  uint64_t starts_ = 1436168318;  // seconds: each start is one later
};

}  // namespace flotilla::client
