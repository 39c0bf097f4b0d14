#include "client/fake_fleet_api.h"

namespace flotilla::client {

base::Status FakeFleetApi::check() const {
  if (!failure.message.empty()) return base::unexpected(failure);
  return {};
}

void FakeFleetApi::progress(Unit& unit) {
  if (unit.current_state == unit.desired_state || stuck.count(unit.name) != 0) return;
  if (++polls_[unit.name] < polls_until_done) return;
  unit.current_state = unit.desired_state;
  unit.machine_id = unit.desired_state == "inactive" ? std::string() : machine_list.front().id;
  if (unit.desired_state == "launched") {
    state_map[unit.name] = {unit.name,
                            unit.machine_id,
                            unit::hash_hex(unit.options),
                            "loaded",
                            active_state_when_launched,
                            "running"};
  } else if (unit.desired_state == "inactive") {
    state_map.erase(unit.name);
  }
}

base::Result<std::vector<Unit>> FakeFleetApi::units() {
  FLOTILLA_TRY(check());
  std::vector<Unit> result;
  for (const auto& [name, unit] : unit_map) result.push_back(unit);
  return result;
}

base::Result<std::optional<Unit>> FakeFleetApi::unit(const std::string& name) {
  FLOTILLA_TRY(check());
  const auto found = unit_map.find(name);
  if (found == unit_map.end()) return std::optional<Unit>();
  progress(found->second);
  return std::optional<Unit>(found->second);
}

base::Status FakeFleetApi::create_unit(const Unit& unit) {
  FLOTILLA_TRY(check());
  calls.push_back("create " + unit.name);
  if (unit.options.empty()) {
    return base::conflict("googleapi: Error 409: unit does not exist and options field empty");
  }
  Unit stored = unit;
  if (stored.desired_state.empty()) stored.desired_state = "inactive";
  stored.current_state = stored.desired_state;
  unit_map[unit.name] = stored;
  return {};
}

base::Status FakeFleetApi::set_desired_state(const std::string& name, const std::string& state) {
  FLOTILLA_TRY(check());
  calls.push_back("set " + name + " " + state);
  unit_map.at(name).desired_state = state;
  polls_[name] = 0;
  return {};
}

base::Status FakeFleetApi::destroy_unit(const std::string& name) {
  FLOTILLA_TRY(check());
  calls.push_back("destroy " + name);
  if (unit_map.erase(name) == 0)
    return base::not_found("googleapi: Error 404: unit does not exist");
  if (stuck.count(name) == 0) state_map.erase(name);
  return {};
}

base::Result<std::vector<UnitState>> FakeFleetApi::unit_states() {
  FLOTILLA_TRY(check());
  std::vector<UnitState> result;
  for (const auto& [name, state] : state_map) result.push_back(state);
  return result;
}

base::Result<std::vector<UnitState>> FakeFleetApi::unit_states_of(const std::string& name) {
  FLOTILLA_TRY(check());
  std::vector<UnitState> result;
  if (const auto found = state_map.find(name); found != state_map.end())
    result.push_back(found->second);
  return result;
}

base::Result<std::vector<Machine>> FakeFleetApi::machines() {
  FLOTILLA_TRY(check());
  return machine_list;
}

base::Result<StatusText> FakeFleetApi::unit_status(const std::string& name) {
  FLOTILLA_TRY(check());
  const bool active = state_map.count(name) != 0 && state_map[name].active_state == "active";
  return StatusText{name + ": " + (active ? "active" : "inactive") + "\n", active ? 0 : 3};
}

base::Status FakeFleetApi::unit_log(const std::string& name, int lines, bool follow,
                                    const std::function<void(std::string_view)>& sink) {
  FLOTILLA_TRY(check());
  calls.push_back("log " + name + " " + std::to_string(lines) + (follow ? " follow" : ""));
  sink("hello, world\n");
  return {};
}

}  // namespace flotilla::client
