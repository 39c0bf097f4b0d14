// Assigner: from the records of one machine to what it must run: the scheduled units as they are,
// then the globals by name: those whose metadata this machine has and that conflict with none taken
// before. A text is read once, when it comes, so that a change costs work for what it touches.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "registry/objects.h"
#include "unit/fleet_requirements.h"

namespace flotilla::agent {

// What a unit's text says of [Install]: nothing, some of what it is wanted or called by, or else.
enum class InstallSection : uint8_t { kNone, kNames, kOther };

struct Assignment {
  std::string hash;
  std::string text;
  registry::TargetState target = registry::TargetState::kInactive;
  bool runs_once = false;              // at most one machine may run it at any instant ...
  store::Revision entry_revision = 0;  // ... by this schedule entry
  InstallSection install = InstallSection::kNone;
  bool is_oneshot = false;
  bool is_finished = false;  // it has done its work, here, and is not started any more
};

struct AssignedUnits {
  std::map<std::string, Assignment> units;
  bool has_units_that_run_once = false;
  // Units of which the entry cannot be read: whatever runs of them runs on.
  std::set<std::string> untouchable;
};

class Assigner {
 public:
  void put(const registry::ScheduleEntry& entry);
  void put(const registry::GlobalEntry& entry);
  void erase_scheduled(const std::string& unit);
  void erase_global(const std::string& unit);
  void set_metadata(registry::Metadata metadata);
  // Those of which a record cannot be read, by its key; a text that cannot be read is noticed here.
  void set_unreadable(const std::map<std::string, std::string>& units_by_key);

  // As of now.
  const AssignedUnits& assigned();

 private:
  struct Global {
    Assignment assignment;
    unit::FleetRequirements requirements;
  };
  void forget_scheduled(const std::string& unit);
  void choose_globals();
  void name_untouchable();

  AssignedUnits assigned_;
  std::map<std::string, unit::FleetRequirements> scheduled_;
  std::map<std::string, Global> globals_;
  std::set<std::string> chosen_;  // globals in assigned_
  std::set<std::string> broken_scheduled_;
  std::set<std::string> broken_globals_;
  std::set<std::string> unreadable_;
  registry::Metadata metadata_;
  size_t running_once_ = 0;
  bool are_globals_stale_ = false;
};

}  // namespace flotilla::agent
