// What the engine decides, as plain values, and what a decision writes into the store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/objects.h"

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

// Whether a machine that is not there is gone. A leader that has not watched for long enough must
// not say so: its units stay where they are.
enum class Absence : uint8_t { kTrusted, kDoubted };

// Whether a machine may run a unit as things stand: why not, or nothing.
struct Verdict {
  std::string machine;
  std::string why_not;
  std::string note = {};  // what is to be said of it there all the same

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// The schedule entry or global entry that a decision writes. Requires: the cluster has the unit.
registry::ScheduleEntry schedule_entry_of(const registry::Unit& unit, std::string machine);
registry::ScheduleEntry schedule_entry_of(const registry::Cluster& cluster, std::string_view unit,
                                          std::string machine);
registry::GlobalEntry global_entry_of(const registry::Unit& unit);

// The cluster after the decisions, as the view will show it.
void apply_decisions(registry::Cluster& cluster, const std::vector<Decision>& decisions);

}  // namespace flotilla::engine
