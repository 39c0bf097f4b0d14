// What the engine remembers of units and machines between its decisions. Plain records; Placement
// keeps them consistent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/tags.h"
#include "registry/cordon.h"
#include "registry/objects.h"
#include "unit/fleet_requirements.h"

namespace flotilla::engine {

class Ranking;
struct Host;
struct Job;

struct ByName {
  bool operator()(const Job* a, const Job* b) const;
};

// A unit that others name in MachineOf=, whether it exists or not.
struct Peer {
  std::string name;
  Job* job = nullptr;
  std::unordered_set<Job*> followers;
  size_t users = 0;
};

// What [X-Fleet] sections ask for. Units with the same section share one.
struct Wants {
  unit::FleetRequirements requirements;
  std::string key;
  std::string ranking_key;       // what orders the machines for it
  std::vector<TagId> conflicts;  // each once, in order
  std::vector<TagId> replaces;   //
  std::vector<TagId> patterns;   // of MachineOf=
  std::vector<Peer*> peers;      // the rest of MachineOf=
  bool counts_group = false;     // MaxPerMachine= or Spread=
  size_t users = 0;
};

// Units that no rule tells apart: the same wishes, and the same tags, so that what one of them
// hears of a machine all do.
struct Class {
  Wants* wants = nullptr;
  std::string key;
  std::vector<TagId> tags;  // that its units bear, in order
  TagId group = kNoTag;     // the one among them that counts its template's units
  std::string held_group;   // the template that is counted because of this class
  size_t users = 0;

  // Those that should run and found no machine.
  std::set<Job*, ByName> parked;
  bool is_listed = false;  // among those that are tried again with every change
  // The last search for a machine found none: as of that position of the log of changes.
  bool has_failed = false;
  uint64_t failed_epoch = 0;
  uint64_t failed_at = 0;

  std::shared_ptr<Ranking> ranking;  // by metadata alone, shared with other classes
  std::unique_ptr<Ranking> strict;   // of its own, once searches in the other took long
  uint64_t steps = 0;

  uint64_t globals_epoch = 0;  // as of when touches_globals is right
  bool touches_globals = false;
};

// A unit. One whose record cannot be read is frozen: it counts where it is, and is not touched.
struct Job {
  std::string_view name;
  Class* cls = nullptr;            // never null
  Host* machine = nullptr;         // where it is to be, as far as is decided
  Host* before = nullptr;          // where the store has it
  Host* handed_over_by = nullptr;  // being drained of it: it runs there until it runs elsewhere
  uint64_t hash = 0;               // of its text
  uint64_t record_hash = 0;        // of the text in the schedule
  uint32_t slot = 0;               // among its machine's jobs
  registry::TargetState desired = registry::TargetState::kInactive;
  registry::TargetState record_target = registry::TargetState::kInactive;
  bool exists : 1 = false;
  bool is_template : 1 = false;
  bool is_frozen : 1 = false;
  bool is_oneshot : 1 = false;
  bool is_finished : 1 = false;         // a oneshot that is not to run again ...
  bool is_record_finished : 1 = false;  // ... and whether its machine knows
  bool is_record_leaving : 1 = false;   // its machine was to hand it over
  bool is_counted : 1 = false;          // among what its machine runs
  bool is_peer : 1 = false;             // some unit names it in MachineOf=
  bool is_parked : 1 = false;
  bool is_unplaced : 1 = false;  // should run and has no machine
  bool is_to_check : 1 = false;
  bool is_pending : 1 = false;
  bool is_touched : 1 = false;
  bool is_in_flight : 1 = false;  // decided on, and not heard of since
  bool has_extra : 1 = false;
  bool is_gone : 1 = false;  // nothing is left of it

  const unit::FleetRequirements& requirements() const { return cls->wants->requirements; }
  bool is_active_global() const {
    return exists && requirements().global && !is_template &&
           desired != registry::TargetState::kInactive;
  }
  bool wants_to_run() const {
    return exists && !is_template && !requirements().global &&
           desired != registry::TargetState::kInactive;
  }
  bool wants_to_be_placed() const { return wants_to_run() && !is_finished; }
  bool runs_once() const {
    return requirements().wishes.stops_on_partition && !requirements().global;
  }
  // It begins at a new place only when it is gone from the old one.
  bool stops_first() const { return runs_once() || (is_oneshot && !requirements().global); }
};

inline bool ByName::operator()(const Job* a, const Job* b) const { return a->name < b->name; }

// What units ask for, or a machine has. 0 of a machine: not known, and not held against anybody.
struct Capacity {
  uint64_t cpu_millis = 0;
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
  friend bool operator==(const Capacity&, const Capacity&) = default;
};

// How many units of a machine bear a tag, and how many name it in Conflicts=.
class TagCounts {
 public:
  struct Count {
    TagId tag = kNoTag;
    uint32_t bearers = 0;
    uint32_t opponents = 0;
  };
  // Zeros if there are none.
  Count of(TagId tag) const;
  void add_bearer(TagId tag, int by);
  void add_opponent(TagId tag, int by);

 private:
  template <typename Change>
  void at(TagId tag, Change change);
  std::vector<Count> counts_;  // by tag; few
};

struct Host {
  std::string_view id;
  bool is_present = false;
  bool is_unreadable = false;
  uint32_t rank = 0;  // among those present, by id
  registry::Metadata metadata;
  registry::Cordon cordon = registry::Cordon::kOpen;
  Capacity capacity;
  Capacity used;              // by jobs and globals
  uint64_t load = 0;          // the weights of jobs and globals
  std::vector<Job*> jobs;     // that are here, counted or not
  std::vector<Job*> globals;  // that fit and conflict with nothing here, by name
  TagCounts counts;
  bool is_to_check = false;   // all its jobs are to be looked at
  bool is_unsettled = false;  // its globals are to be chosen anew
  // Present, nothing keeps new units away, and it has the metadata.
  bool is_open_to(const unit::FleetRequirements& wants) const {
    return is_present && cordon == registry::Cordon::kOpen && wants.allows_machine(id) &&
           wants.allows_metadata(metadata);
  }
};

}  // namespace flotilla::engine
