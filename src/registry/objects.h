// The cluster's objects as plain values: units, what is scheduled where, machines, unit states.
// What the registry reads and writes, what the engine decides on, what the API shows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/shared_text.h"
#include "store/store.h"
#include "unit/fleet_file.h"

namespace flotilla::registry {

// What a user wants of a unit, and how far it has got.
enum class TargetState : uint8_t { kInactive, kLoaded, kLaunched };

std::string_view to_string(TargetState state);  // "inactive", "loaded", "launched"
// kInvalid with fleet's text: invalid value "x" for JobState
base::Result<TargetState> parse_target_state(std::string_view word);

// A JSON object's text with the members that this version does not know; written back as it was
// read, so that an older daemon loses nothing of a newer one. Empty: none.
using ExtraFields = SharedText;

struct Unit {
  SharedText name;
  std::vector<unit::UnitOption> options;
  SharedText hash;  // of the options: unit::hash_hex()
  TargetState desired = TargetState::kInactive;
  ExtraFields extra;
  store::Revision mod_revision = 0;

  friend bool operator==(const Unit&, const Unit&) = default;
};

// What one machine must run. Carries the text, so that its agent reads nothing else.
struct ScheduleEntry {
  SharedText name;
  SharedText machine;
  SharedText hash;
  SharedText text;  // unit::serialize() of the options
  TargetState target = TargetState::kInactive;
  bool is_leaving = false;   // it runs here until it runs at the other place it is scheduled to
  bool is_finished = false;  // it has done its work: it is not started any more
  ExtraFields extra;
  store::Revision mod_revision = 0;

  friend bool operator==(const ScheduleEntry&, const ScheduleEntry&) = default;
};

// What every machine runs whose metadata fit and where nothing conflicts.
struct GlobalEntry {
  SharedText name;
  SharedText hash;
  SharedText text;
  TargetState target = TargetState::kInactive;
  ExtraFields extra;
  store::Revision mod_revision = 0;

  friend bool operator==(const GlobalEntry&, const GlobalEntry&) = default;
};

using Metadata = std::map<std::string, std::string>;

// A machine that is there: the record lives as long as its lease.
struct Machine {
  std::string id;
  std::string public_ip;
  Metadata metadata;        // as configured on the machine
  std::string version;      // of its fleetd, without a leading "v"
  std::string boot_id;      // of its kernel
  std::string state_id;     // of its state directory: made once, kept there
  std::string nonce;        // new at each start of its fleetd
  std::string api_address;  // where its API answers other machines; may be empty
  uint32_t cpus = 0;
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;   // of the file system that has its state directory
  uint32_t ttl_seconds = 0;  // of its lease
  ExtraFields extra;
  store::Revision mod_revision = 0;
  store::Revision create_revision = 0;
  store::LeaseId lease = 0;

  friend bool operator==(const Machine&, const Machine&) = default;
};

// The machine's own metadata with the edits made through the API on top. An edit to the empty
// string hides the machine's value.
Metadata merged_metadata(const Metadata& own, const Metadata& edits);

// What a machine's service manager says of a unit.
struct UnitState {
  SharedText name;
  SharedText machine;
  SharedText hash;                 // of the text that is loaded there
  SharedText load_state;           // systemd's words
  SharedText active_state;         //
  SharedText sub_state;            //
  uint64_t active_enter_usec = 0;  // wall clock; 0: never
  bool launched = false;           // the agent has started it there, and not stopped it since
  std::string problem;             // why it is not as it should be there, in one line; mostly empty
  ExtraFields extra;
  store::Revision mod_revision = 0;

  friend bool operator==(const UnitState&, const UnitState&) = default;
};

// What is to be known of a unit when its states are gone with their machine. Of one text and one
// launch: an operation that changes either forgets it.
struct UnitHistory {
  std::string name;
  std::string hash;         // of the text it is about
  std::string finished_on;  // the machine on which a oneshot ended well; empty: it has not
  uint64_t finished_usec = 0;
  uint32_t moves = 0;       // to other machines, as it had failed
  uint64_t moved_usec = 0;  // the last time
  ExtraFields extra;
  store::Revision mod_revision = 0;

  friend bool operator==(const UnitHistory&, const UnitHistory&) = default;
};

// Who schedules.
struct Leader {
  std::string machine;
  std::string nonce;
  store::Revision mod_revision = 0;
  store::Revision create_revision = 0;
  store::LeaseId lease = 0;

  friend bool operator==(const Leader&, const Leader&) = default;
};

// A unit that goes from one machine to another.
struct Move {
  std::string unit;
  std::string from;
  std::string to;
  std::string why = {};         // for people
  bool goes_with_last = false;  // it is begun together with the move before it, or not at all

  friend bool operator==(const Move&, const Move&) = default;
};

// By the name of a unit, or the id of a machine.
template <typename T>
using ByName = std::map<SharedText, T, TextLess>;

// The whole cluster at one revision. All maps are ordered by the bytes of their keys, which is the
// order of every list that users see.
struct Cluster {
  store::Revision revision = 0;
  ByName<Unit> units;
  // unit -> machine -> entry, without its text, which is the unit's. The leader keeps it to one
  // machine per unit.
  ByName<ByName<ScheduleEntry>> schedule;
  std::map<std::string, GlobalEntry, std::less<>> globals;
  std::map<std::string, Machine, std::less<>> machines;         // those that are there
  std::map<std::string, Metadata, std::less<>> metadata_edits;  // machine id -> edits
  ByName<ByName<UnitState>> states;                             // unit -> machine
  std::map<std::string, UnitHistory, std::less<>> histories;    // of few units
  std::optional<Leader> leader;
  bool wants_rebalance = false;  // the leader is asked to even out what machines have
  // Records that cannot be read, by key, with the reason. The last value that could be read stands
  // in the maps above; if there never was one, the object is listed here alone, and whoever acts
  // must leave what it names untouched.
  std::map<std::string, std::string, std::less<>> unreadable;
  // The names in it: units of which the record or a schedule entry is unreadable, and machines.
  std::set<std::string, std::less<>> unreadable_units;
  std::set<std::string, std::less<>> unreadable_machines;

  // The machine the unit is scheduled to (of two the one it leaves, if that tells of it), or null.
  const std::string* machine_of(std::string_view unit) const;
  // Of a unit that is wanted launched and has finished, else null.
  const UnitHistory* find_finished(std::string_view unit) const;
  // What the machine says of the unit, or null.
  const UnitState* find_state(std::string_view unit, std::string_view machine) const;
  // fleet's currentState: launched if it has finished; inactive unless scheduled somewhere and
  // known there with the unit's present hash; then launched if its agent has started it, else
  // loaded.
  TargetState current_state(std::string_view unit) const;
  Metadata metadata_of(const Machine& machine) const;
};

}  // namespace flotilla::registry
