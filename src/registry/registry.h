// Registry: the operations on the cluster's objects, over a store. Knows the keys (keys.h) and the
// records (codec.h); every change of an existing object is guarded by the revision it was read at
// and tried again when somebody else was first.
//
// Loop thread only; never blocks. A callback is called once, later, on the loop thread, unless the
// store or the Registry is destroyed first: then never. Errors are the store's, and:
//   kInvalid      options that are no UTF-8 or are too many, a malformed name
//   kNotFound     the object does not exist
//   kConflict     somebody else kept changing it (many tries), or a guard did not hold
//   kUnsupported  open(): the store was written by a newer major version
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::registry {

inline constexpr size_t kMaxMachineIdBytes = 256;

// What put_unit() did.
struct PutOutcome {
  enum class Kind : uint8_t { kCreated, kOverwritten, kStateChanged, kUnchanged };
  Kind kind = Kind::kUnchanged;
  store::Revision revision = 0;  // wait for a ClusterView to reach it to read your own write
};

class Registry {
 public:
  template <typename T>
  using Callback = std::function<void(base::Result<T>)>;

  // `prefix` as in "/flotilla": no slash at the end. Requires: `store` outlives the Registry.
  Registry(store::Store& store, std::string prefix);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  store::Store& store() { return store_; }
  const std::string& prefix() const { return prefix_; }

  // Reads the schema version, or writes it into an empty store. Everything else waits for this.
  void open(Callback<void> done);

  // Units.
  // The unit as the store has it now. kNotFound if there is none; kInternal if the record cannot be
  // read (deleting and overwriting it still work).
  void get_unit(const std::string& name, Callback<Unit> done);
  // Creates the unit, or overwrites the one there is, in one step. The hash is computed here.
  void put_unit(const std::string& name, std::vector<unit::UnitOption> options, TargetState desired,
                const Callback<PutOutcome>& done);
  // Replaces the options of a unit in one step and keeps its desired state. kNotFound: no such
  // unit.
  void put_contents(const std::string& name, std::vector<unit::UnitOption> options,
                    const Callback<PutOutcome>& done);
  // kNotFound: no such unit.
  void set_desired(const std::string& name, TargetState desired, Callback<PutOutcome> done);
  // kNotFound: no such unit. Its schedule and states go when the leader and the agent have acted.
  void delete_unit(const std::string& name, Callback<store::Revision> done);

  // Machines. Edits outlive the machine's absence; the machine need not exist. `value` empty hides
  // the machine's own value; nullopt forgets the edit.
  void edit_metadata(const std::string& machine, const std::string& key,
                     std::optional<std::string> value, Callback<store::Revision> done);

  // Before a unit that must not run twice is started: writes `state` under the lease if the
  // schedule entry that asks for it still is the one of that revision. kConflict if it is not,
  // kNotFound if the lease has ended. Whoever schedules starts nothing elsewhere while the state is
  // there.
  void claim_unit(const UnitState& state, store::Revision entry_revision, store::LeaseId lease,
                  Callback<void> done);

  // A oneshot that the schedule entry of that revision asks for has ended well on `machine`:
  // written for as long as the unit is meant as it is. kConflict if it is not scheduled there so
  // any more.
  void put_finished(const UnitHistory& history, store::Revision entry_revision,
                    Callback<void> done);

  // Unit states of one machine, under its lease. Sent in as few transactions as the store allows.
  // kNotFound: the lease is gone. Requires: neither list is empty.
  void put_states(const std::vector<UnitState>& states, store::LeaseId lease, Callback<void> done);
  void delete_states(const std::string& machine, const std::vector<std::string>& units,
                     Callback<void> done);
  // The units that have a state of this machine in the store. Reads the keys of all states.
  void list_states_of(const std::string& machine, const Callback<std::vector<std::string>>& done);

 private:
  struct Shared;  // lives on in callbacks
  store::Store& store_;
  std::string prefix_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace flotilla::registry
