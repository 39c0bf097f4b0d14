// The API as its clients see it: the seam between the verbs of fleetctl and the wire. Calls block.
//
// Errors carry the text that fleetctl shows: "googleapi: Error 409: ..." for an answer that is an
// error, a plain sentence where there was no answer. kUnsupported: the server has no such route.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/schema.h"

namespace flotilla::client {

// What is wanted of a log.
struct LogWish {
  int lines = 10;
  bool follow = false;
  std::string form{};  // one of journalctl's; empty: "short"
};

class FleetApi {
 public:
  virtual ~FleetApi() = default;

  // All pages; sorted by name.
  virtual base::Result<std::vector<Unit>> units() = 0;
  // As units(), but a server may leave the options out.
  virtual base::Result<std::vector<Unit>> units_without_options() = 0;
  // nullopt if there is no such unit.
  virtual base::Result<std::optional<Unit>> unit(const std::string& name) = 0;
  // As many answers as names, in their order; a few round trips however many names there are.
  virtual base::Result<std::vector<std::optional<Unit>>> units_named(
      const std::vector<std::string>& names) = 0;
  // Creates the units, or overwrites their options; an empty desired_state means inactive. This and
  // the two below: one result for each, in order, and a few round trips for all.
  virtual std::vector<base::Status> create_units(const std::vector<Unit>& units) = 0;
  virtual std::vector<base::Status> set_desired_states(const std::vector<std::string>& names,
                                                       const std::string& state) = 0;
  // Replaces the options of an existing unit at once and keeps its desired state.
  virtual base::Status replace_contents(const Unit& unit) = 0;
  // kNotFound for a name without a unit.
  virtual std::vector<base::Status> destroy_units(const std::vector<std::string>& names) = 0;

  // All pages; sorted by unit name, then machine.
  virtual base::Result<std::vector<UnitState>> unit_states() = 0;
  // The states of one unit, one for each machine that reports it.
  virtual base::Result<std::vector<UnitState>> unit_states_of(const std::string& name) = 0;
  // The same of several units, in a few round trips.
  virtual base::Result<std::vector<UnitState>> unit_states_named(
      const std::vector<std::string>& names) = 0;

  virtual base::Result<std::vector<Machine>> machines() = 0;

  // Sets a metadata key of a machine, over what it is configured with; "" hides the key.
  virtual base::Status edit_metadata(const std::string& machine, const std::string& key,
                                     const std::string& value) = 0;

  // The edits of machines' metadata as they are: "" for a hidden key. Ids and metadata alone.
  virtual base::Result<std::vector<Machine>> metadata_edits() = 0;
  // Creates a unit of another cluster with its desired state, and lets it stay on its machine_id
  // where that can be. False if it is here already as it is given; kConflict if it is another one,
  // unless it `replaces` that.
  virtual base::Result<bool> import_unit(const Unit& unit, bool replaces) = 0;

  // These three reach the machine that runs the unit, or the one given. kUnavailable if the API
  // that answers is another machine's and cannot ask it.
  virtual base::Result<StatusText> unit_status(const std::string& name,
                                               const std::string& machine) = 0;
  // Calls `sink` with text as it comes, whole lines; with `follow` until the connection ends.
  virtual base::Status unit_log(const std::string& name, const std::string& machine,
                                const LogWish& wish,
                                const std::function<void(std::string_view)>& sink) = 0;
  // kTimedOut and kInternal: it may have been restarted, or may be still.
  virtual base::Status restart_unit(const std::string& name, const std::string& machine) = 0;

  virtual base::Result<Rebalance> rebalance_plan() = 0;
  // Asks the leader for it.
  virtual base::Status rebalance() = 0;

  // One entry for each machine.
  virtual base::Result<std::vector<Eligibility>> explain(const std::string& name) = 0;

  // Waits until something in the cluster may have changed since the last call, at most this long.
  // The first call returns at once. kUnsupported where the server tells of no events.
  virtual base::Status wait_for_change(std::chrono::milliseconds at_most) = 0;
};

}  // namespace flotilla::client
