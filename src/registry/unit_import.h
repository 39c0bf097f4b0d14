// Brings a unit of another registry into this one, together with the place where it runs: so that
// a machine which comes over finds its units scheduled to it and lets them run.
//
// The place is written only where it cannot go against whoever schedules: the machine is here, or
// nobody leads yet. Else the leader places the unit like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "registry/objects.h"
#include "registry/registry.h"
#include "store/store.h"

namespace flotilla::registry {

// What happens to a unit of that name which is here already and is another one.
enum class Existing : uint8_t { kStays, kIsReplaced };

struct UnitImport {
  std::string name;
  std::vector<unit::UnitOption> options;
  TargetState desired = TargetState::kInactive;
  std::string machine;           // where it was scheduled; empty: nowhere
  std::string finished_on = {};  // of a oneshot that has ended well: where; empty: it has not
  uint64_t finished_usec = 0;
  Existing existing = Existing::kStays;
};

// All of it or nothing, in one transaction. kUnchanged if the unit is here as it is given.
// `cluster` says who is there and who leads; what has changed since is noticed. Loop thread only.
// Errors: the store's; kConflict if another unit of that name is here and stays. Requires: name and
// options are valid.
void import_unit(store::Store& store, const std::string& prefix, const Cluster& cluster,
                 UnitImport unit, Registry::Callback<PutOutcome> done);

}  // namespace flotilla::registry
