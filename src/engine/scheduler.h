// Scheduler: what the leader has to change in the schedule. It is told of the cluster's changes one
// by one, remembers what it needs of them, and decides on what a change can have touched; the cost
// of a decision follows the change, not the cluster. Decisions depend on the state of the cluster
// alone: a Scheduler that has followed it and one that has just read it decide the same. Pure: no
// clock, no store.
//
// The rules are fleet's (least loaded, MachineID, MachineMetadata, MachineOf, Conflicts, Replaces,
// Global), in a fixed order by unit name where fleet's was random:
//   phase 1  each scheduled unit, until nothing changes: may it stay where it is?
//   phase 2  each unit on a machine that is being drained: to one that can take it.
//   phase 3  each unit that should run and has no machine: the machine with the fewest units that
//            can take it, the lowest id among equals.
// They are repeated until nothing changes, so that a unit that follows another, or is replaced by
// another, is settled in the same pass. Applied, decisions leave nothing to decide.
//
// Between decisions a unit is where the store has it (Job::before). decide() moves units
// (Job::machine) and takes for granted that its decisions will be told of; those that have not been
// when it is called again are taken back and decided anew.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/decision.h"
#include "engine/name_queue.h"
#include "engine/placement.h"
#include "registry/cluster_view.h"
#include "registry/objects.h"

namespace flotilla::engine {

class Scheduler {
 public:
  Scheduler();
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // --- What is told ---
  // All there is. Requires: nothing has been told before.
  void read(const registry::Cluster& cluster);
  // What has changed; `cluster` is as it is now.
  void update(const registry::Cluster& cluster, const registry::ClusterChange& change);
  // The same for one object: null is what is not there.
  struct UnitFacts {
    std::string_view name;
    const registry::Unit* unit = nullptr;
    const registry::ByName<registry::ScheduleEntry>* schedule = nullptr;
    const registry::GlobalEntry* global = nullptr;
    const registry::ByName<registry::UnitState>* states = nullptr;
    const registry::UnitHistory* finished = nullptr;  // Cluster::find_finished()
    bool is_unreadable = false;
  };
  void set_unit(const UnitFacts& facts);
  struct MachineFacts {
    std::string_view id;
    const registry::Machine* machine = nullptr;
    registry::Metadata metadata;  // with the edits
    bool is_unreadable = false;
  };
  void set_machine(const MachineFacts& facts);

  // --- What is asked ---
  std::vector<Decision> decide(Absence absence = Absence::kTrusted);
  // For each machine that is there, by id. The reasons are those of the decisions; a machine's
  // metadata are named beside. Empty if there is no such unit.
  std::vector<Verdict> explain(std::string_view unit);
  // The machine a unit would go to if it left the one it is on; empty if there is none.
  std::string find_other_machine(std::string_view unit);
  // Whether the unit may go from its machine to that one, without pushing anything off there.
  bool may_move(std::string_view unit, std::string_view machine);
  // Units that should run and have no machine.
  size_t unplaced() const { return unplaced_; }
  // Units that are scheduled to machines that are not there.
  bool has_units_away() const;

 private:
  // What the schedule says of a unit on one machine.
  struct Record {
    Host* host = nullptr;
    uint64_t hash = 0;
    registry::TargetState target = registry::TargetState::kInactive;
    bool runs = false;        // it does, with its present text, and is active
    bool has_failed = false;  // it was started, and has
    bool is_down = false;     // the machine is there, and tells that it does not run
    bool is_leaving = false;
    bool is_finished = false;
    friend bool operator==(const Record&, const Record&) = default;
  };
  // What few units have.
  struct Extra {
    std::vector<Record> records;  // if there are several, by machine
    std::vector<Host*> doubles;   // machines it is scheduled to by mistake
    Host* told_by = nullptr;      // what stops first: the first machine that tells its state
    Host* finished_on = nullptr;  // where it ended
    bool has_global = false;
    uint64_t global_hash = 0;
    registry::TargetState global_target = registry::TargetState::kInactive;
    bool is_empty() const { return records.empty() && !told_by && !finished_on && !has_global; }
    friend bool operator==(const Extra&, const Extra&) = default;
  };
  struct Removal {
    std::string why;
    Decision::Cause cause = Decision::Cause::kOther;
  };

  // Told (scheduler_feed.cc).
  void read_unit(const registry::Cluster& cluster, std::string_view name);
  void read_machine(const registry::Cluster& cluster, std::string_view id);
  void set_record(Job& job, const UnitFacts& facts);
  bool is_as_decided(const Job& job, const UnitFacts& facts) const;
  void change_nature(Job& job, const UnitFacts& facts);
  void withdraw_global(Job& job);
  void add_new_tags();
  void settle_record(Job& job);
  void settle_records(Job& job, Extra& more);
  bool is_handed_over(const Job& job, const Record& record, const Record& giver) const;
  void look_at(Job& job);
  const Extra* find_extra(const Job& job) const;

  // What follows from a unit's coming and going (scheduler_effects.cc).
  enum class By : uint8_t { kTold, kDecided };
  void enter(Job& job, Host& host, By by);
  void leave(Job& job);
  void after_entering(Job& job, Host& host, By by);
  void after_leaving(Job& job, Host& host);
  void wake_followers(Job& job);
  void wake(Class& cls);
  void wake_parked();
  void unsettle(Host& host);
  void settle_globals();
  void check(Job& job);
  void check_all(Host& host);
  void pend(Job& job);
  void park(Job& job);
  void unpark(Job& job);
  void touch(Job& job);
  void update_unplaced(Job& job);
  static bool is_asleep(const Class& cls);

  // A pass.
  void prepare();
  void take_back();
  bool check_scheduled();
  std::optional<std::string> why_leave(const Job& job) const;
  bool push_off_replaced(const Job& replacer);
  void take_off(Job& job, std::string why, Decision::Cause cause);
  bool drain();
  bool place_pending();
  std::vector<Decision> conclude();
  void conclude_unschedule(Job& job, std::vector<Decision>& decisions);
  void conclude_schedule(Job& job, std::vector<Decision>& decisions);
  void conclude_put_global(Job& job, std::vector<Decision>& decisions);
  void conclude_remove_global(Job& job, std::vector<Decision>& decisions);
  void add(std::vector<Decision>& decisions, Decision::Kind kind, Job& job, const Host* host,
           std::string reason);
  void put_in_flight(Job& job);
  void bury();
  std::optional<std::string> why_not_yet(const Job& job) const;
  std::optional<std::string> why_not(const Job& job, const Host& host) const;

  Placement placement_;
  std::unordered_map<const Job*, Extra> extras_;
  std::set<Job*, ByName> doubled_;  // with several records
  std::set<Host*> draining_;
  Absence absence_ = Absence::kDoubted;
  bool is_reordered_ = false;  // what is there, or what it has, has changed
  bool are_globals_changed_ = false;
  NameQueue to_check_;
  NameQueue pending_;
  std::vector<Host*> hosts_to_check_;
  std::vector<Host*> unsettled_;
  std::set<Class*> parked_;  // classes with units that may find a machine with any change
  std::vector<Job*> touched_;
  std::vector<Job*> in_flight_;
  std::vector<Job*> gone_;
  std::unordered_map<const Job*, Removal> removed_;
  size_t unplaced_ = 0;
  bool is_deciding_ = false;
};

// The same for a cluster that is looked at once.
std::vector<Decision> decide(const registry::Cluster& cluster, Absence absence = Absence::kTrusted);
std::vector<Verdict> explain(const registry::Cluster& cluster, std::string_view unit);

}  // namespace flotilla::engine
