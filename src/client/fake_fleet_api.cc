#include "client/fake_fleet_api.h"

namespace flotilla::client {

base::Status FakeFleetApi::check() const {
  if (!failure.message.empty()) return base::unexpected(failure);
  return {};
}

base::Status FakeFleetApi::check_inspection() const {
  FLOTILLA_TRY(check());
  if (!inspection_failure.message.empty()) return base::unexpected(inspection_failure);
  return {};
}

void FakeFleetApi::report_launched(const Unit& unit) {
  const std::string hash = unit::hash_hex(unit.options);
  const bool bad = bad_hashes.count(hash) != 0;
  state_map[unit.name] = {unit.name,
                          unit.machine_id,
                          hash,
                          "loaded",
                          bad ? "failed" : active_state_when_launched,
                          bad ? "failed" : "running",
                          ++starts_ * 1'000'000};
}

void FakeFleetApi::progress(Unit& unit) {
  if (unit.current_state == unit.desired_state || stuck.count(unit.name) != 0) return;
  if (++polls_[unit.name] < polls_until_done) return;
  unit.current_state = unit.desired_state;
  unit.machine_id = unit.desired_state == "inactive" ? std::string() : machine_list.front().id;
  if (unit.desired_state == "launched") {
    report_launched(unit);
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

base::Result<std::vector<std::optional<Unit>>> FakeFleetApi::units_named(
    const std::vector<std::string>& names) {
  std::vector<std::optional<Unit>> result;
  for (const std::string& name : names) {
    FLOTILLA_ASSIGN(std::optional<Unit> found, unit(name));
    result.push_back(std::move(found));
  }
  return result;
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

std::vector<base::Status> FakeFleetApi::create_units(const std::vector<Unit>& units) {
  std::vector<base::Status> results;
  for (const Unit& unit : units) results.push_back(create_unit(unit));
  return results;
}

std::vector<base::Status> FakeFleetApi::set_desired_states(const std::vector<std::string>& names,
                                                           const std::string& state) {
  std::vector<base::Status> results;
  for (const std::string& name : names) {
    results.push_back(check());
    if (!results.back()) continue;
    calls.push_back("set " + name + " " + state);
    unit_map.at(name).desired_state = state;
    polls_[name] = 0;
  }
  return results;
}

base::Status FakeFleetApi::replace_contents(const Unit& unit) {
  FLOTILLA_TRY(check());
  calls.push_back("replace " + unit.name);
  Unit& stored = unit_map.at(unit.name);
  stored.options = unit.options;
  if (stored.current_state == "launched") report_launched(stored);
  for (UnitState& state : more_states) {
    if (state.name == unit.name) state.hash = unit::hash_hex(unit.options);
  }
  return {};
}

std::vector<base::Status> FakeFleetApi::destroy_units(const std::vector<std::string>& names) {
  std::vector<base::Status> results;
  for (const std::string& name : names) {
    calls.push_back("destroy " + name);
    if (unit_map.erase(name) == 0) {
      results.emplace_back(base::not_found("googleapi: Error 404: unit does not exist"));
      continue;
    }
    if (stuck.count(name) == 0) state_map.erase(name);
    results.emplace_back();
  }
  return results;
}

base::Result<std::vector<UnitState>> FakeFleetApi::unit_states() {
  FLOTILLA_TRY(check());
  std::vector<UnitState> result;
  for (const auto& [name, state] : state_map) result.push_back(state);
  result.insert(result.end(), more_states.begin(), more_states.end());
  return result;
}

base::Result<std::vector<UnitState>> FakeFleetApi::unit_states_of(const std::string& name) {
  FLOTILLA_TRY(check());
  std::vector<UnitState> result;
  if (const auto found = state_map.find(name); found != state_map.end())
    result.push_back(found->second);
  for (const UnitState& state : more_states) {
    if (state.name == name) result.push_back(state);
  }
  return result;
}

base::Status FakeFleetApi::edit_metadata(const std::string& machine, const std::string& key,
                                         const std::string& value) {
  FLOTILLA_TRY(check());
  calls.push_back("metadata " + machine + " " + key + "=" + value);
  for (Machine& known : machine_list) {
    if (known.id != machine) continue;
    known.metadata[key] = value;
    if (value.empty()) known.metadata.erase(key);
  }
  return {};
}

base::Result<std::vector<Machine>> FakeFleetApi::metadata_edits() {
  FLOTILLA_TRY(check());
  return edits;
}

base::Result<bool> FakeFleetApi::import_unit(const Unit& unit, bool replaces) {
  FLOTILLA_TRY(check());
  calls.push_back(fmt::format("import {} {}{}{}", unit.name, unit.desired_state,
                              unit.machine_id.empty() ? "" : " on " + unit.machine_id,
                              unit.finished_on.empty() ? "" : " finished on " + unit.finished_on));
  const auto found = unit_map.find(unit.name);
  if (found != unit_map.end()) {
    const bool is_same =
        found->second.options == unit.options && found->second.desired_state == unit.desired_state;
    if (is_same) return false;
    if (!replaces) return base::conflict("googleapi: Error 409: unit {} is here", unit.name);
  }
  unit_map[unit.name] = unit;
  return true;
}

base::Result<Rebalance> FakeFleetApi::rebalance_plan() {
  FLOTILLA_TRY(check());
  return Rebalance{moves, moves_under_way};
}

base::Status FakeFleetApi::rebalance() {
  FLOTILLA_TRY(check());
  calls.emplace_back("rebalance");
  moves_under_way = true;
  return {};
}

base::Result<std::vector<UnitState>> FakeFleetApi::unit_states_named(
    const std::vector<std::string>& names) {
  std::vector<UnitState> all;
  for (const std::string& name : names) {
    FLOTILLA_ASSIGN(const std::vector<UnitState> states, unit_states_of(name));
    all.insert(all.end(), states.begin(), states.end());
  }
  return all;
}

base::Result<std::vector<Machine>> FakeFleetApi::machines() {
  if (on_machines) on_machines();
  FLOTILLA_TRY(check());
  return machine_list;
}

base::Result<StatusText> FakeFleetApi::unit_status(const std::string& name,
                                                   const std::string& machine) {
  calls.push_back("status " + name + (machine.empty() ? "" : " " + machine));
  FLOTILLA_TRY(check_inspection());
  const bool active = state_map.count(name) != 0 && state_map[name].active_state == "active";
  return StatusText{name + ": " + (active ? "active" : "inactive") + "\n", active ? 0 : 3};
}

base::Status FakeFleetApi::unit_log(const std::string& name, const std::string& machine,
                                    const LogWish& wish,
                                    const std::function<void(std::string_view)>& sink) {
  const std::lock_guard lock(log_mutex_);
  calls.push_back("log " + name + " " + std::to_string(wish.lines) +
                  (wish.follow ? " follow" : "") + (wish.form.empty() ? "" : " as " + wish.form) +
                  (machine.empty() ? "" : " " + machine));
  FLOTILLA_TRY(check_inspection());
  sink("hello, world\n");
  if (log_breaks) return base::unavailable("the API ended the answer early");
  return {};
}

base::Status FakeFleetApi::restart_unit(const std::string& name, const std::string& machine) {
  calls.push_back("restart " + name + (machine.empty() ? "" : " " + machine));
  FLOTILLA_TRY(check_inspection());
  if (machine.empty()) report_launched(unit_map.at(name));
  return {};
}

base::Result<std::vector<Eligibility>> FakeFleetApi::explain(const std::string& name) {
  FLOTILLA_TRY(check_inspection());
  if (unit_map.count(name) == 0)
    return base::not_found("googleapi: Error 404: unit does not exist");
  return eligibilities;
}

base::Status FakeFleetApi::wait_for_change(std::chrono::milliseconds) {
  if (changes_left < 0) return base::unsupported("the server has no events");
  if (changes_left == 0) return base::unavailable("the events have ended");
  --changes_left;
  if (on_change) on_change();
  return {};
}

}  // namespace flotilla::client
