// decide(): what the leader has to change in the schedule. A pure function from the cluster as it
// is to an ordered list of decisions; applied, it has nothing left to decide.
//
// The rules are fleet's (least loaded, MachineID, MachineMetadata, MachineOf, Conflicts, Replaces,
// Global), in a fixed order by unit name where fleet's was random:
//   phase 1  each scheduled unit, until nothing changes: may it stay where it is?
//   phase 2  each unit that should run and has no machine: the machine with the fewest units that
//            can take it, the lowest id among equals.
// Both are repeated until neither changes anything, so that a unit that follows another, or is
// replaced by another, is settled in the same pass.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "registry/objects.h"
#include "unit/fleet_requirements.h"

namespace flotilla::engine {

struct Decision {
  enum class Kind : uint8_t {
    kUnschedule,    // remove schedule/<machine>/<unit>
    kSchedule,      // write it
    kUpdate,        // write it: the unit's text or desired state has changed
    kPutGlobal,     // write global/<unit>
    kRemoveGlobal,  // remove it
  };
  Kind kind = Kind::kSchedule;
  std::string unit;
  std::string machine;  // empty for globals
  std::string reason;
  // Of a kUnschedule: what of the machine was to blame, if anything.
  enum class Cause : uint8_t { kOther, kMachineAway, kUnableToRun };
  Cause cause = Cause::kOther;

  friend bool operator==(const Decision&, const Decision&) = default;
};

std::string_view to_string(Decision::Kind kind);

// Remembers what units ask for, so that a pass extracts only what has changed.
class RequirementsCache {
 public:
  const unit::FleetRequirements& of(const registry::Unit& unit);
  // Forgets the units that are not in the cluster any more.
  void prune(const registry::Cluster& cluster);

 private:
  struct Entry {
    std::string hash;
    unit::FleetRequirements requirements;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

// Whether a machine that is not there is gone. A leader that has not watched for long enough must
// not say so: its units stay where they are.
enum class Absence : uint8_t { kTrusted, kDoubted };

// `unplaced`, if given, gets the number of units that should run and found no machine.
std::vector<Decision> decide(const registry::Cluster& cluster, RequirementsCache& requirements,
                             Absence absence = Absence::kTrusted, size_t* unplaced = nullptr);

// Whether a machine may run a unit as things stand: why not, or nothing.
struct Verdict {
  std::string machine;
  std::string why_not;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// For each machine that is there, by id. The reasons are those of the decisions; a machine's
// metadata are named beside. Empty if there is no such unit.
std::vector<Verdict> explain(const registry::Cluster& cluster, RequirementsCache& requirements,
                             std::string_view unit);

// The schedule entry or global entry that a decision writes.
registry::ScheduleEntry schedule_entry_of(const registry::Unit& unit, std::string machine);
registry::GlobalEntry global_entry_of(const registry::Unit& unit);

// The cluster after the decisions, as the view will show it.
void apply_decisions(registry::Cluster& cluster, const std::vector<Decision>& decisions);

}  // namespace flotilla::engine
