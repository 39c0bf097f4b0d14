// The API as its clients see it: the seam between the verbs of fleetctl and the wire. Calls block.
//
// Errors carry the text that fleetctl shows: "googleapi: Error 409: ..." for an answer that is an
// error, a plain sentence where there was no answer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/schema.h"

namespace flotilla::client {

class FleetApi {
 public:
  virtual ~FleetApi() = default;

  // All pages; sorted by name.
  virtual base::Result<std::vector<Unit>> units() = 0;
  // nullopt if there is no such unit.
  virtual base::Result<std::optional<Unit>> unit(const std::string& name) = 0;
  // Creates the unit, or overwrites its options; an empty desired_state means inactive.
  virtual base::Status create_unit(const Unit& unit) = 0;
  virtual base::Status set_desired_state(const std::string& name, const std::string& state) = 0;
  // kNotFound if there is no such unit.
  virtual base::Status destroy_unit(const std::string& name) = 0;

  // All pages; sorted by unit name, then machine.
  virtual base::Result<std::vector<UnitState>> unit_states() = 0;
  // The states of one unit, one for each machine that reports it.
  virtual base::Result<std::vector<UnitState>> unit_states_of(const std::string& name) = 0;

  virtual base::Result<std::vector<Machine>> machines() = 0;

  virtual base::Result<StatusText> unit_status(const std::string& name) = 0;
  // Calls `sink` with text as it comes, whole lines; with `follow` until the connection ends.
  virtual base::Status unit_log(const std::string& name, int lines, bool follow,
                                const std::function<void(std::string_view)>& sink) = 0;
};

}  // namespace flotilla::client
