// What this machine must run: the entries of its own schedule, and the global units that fit it.
// Listens to those keys and nothing else, so that a change elsewhere wakes nobody here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "registry/keys.h"
#include "registry/mirror.h"
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

// The scheduled units as they are, then the globals by name: those whose metadata this machine has
// and that conflict with none taken before. Pure.
AssignedUnits assign(const std::map<std::string, registry::ScheduleEntry>& schedule,
                     const std::map<std::string, registry::GlobalEntry>& globals,
                     const registry::Metadata& metadata);

// Loop thread only. Keeps what it last knew while the store is away.
class Assignments {
 public:
  Assignments(store::Store& store, base::EventLoop& loop, std::string prefix, std::string machine,
              registry::Metadata own_metadata, std::function<void()> on_change);

  void start();
  void stop();
  // Whether everything has been read once. Before that nothing may be concluded.
  bool has_data() const;
  // As of now. Requires: has_data().
  const AssignedUnits& current();
  // Another number for each other content of current().
  uint64_t version() const { return version_; }

 private:
  void set_stale() {
    is_stale_ = true;
    ++version_;
  }
  void on_put(const store::KeyValue& kv);
  void on_delete(const std::string& key);
  base::Status take(const registry::ParsedKey& key, const store::KeyValue& kv);
  std::unique_ptr<registry::Mirror> mirror(std::string key, std::string range_end);

  store::Store& store_;
  base::EventLoop& loop_;
  const registry::Keys keys_;
  const std::string machine_;
  const registry::Metadata own_metadata_;
  const std::function<void()> on_change_;
  std::map<std::string, registry::ScheduleEntry> schedule_;
  std::map<std::string, registry::GlobalEntry> globals_;
  registry::Metadata edits_;
  std::map<std::string, std::string> unreadable_;  // key -> unit
  AssignedUnits current_;
  bool is_stale_ = true;
  uint64_t version_ = 1;
  std::unique_ptr<registry::Mirror> schedule_mirror_;
  std::unique_ptr<registry::Mirror> globals_mirror_;
  std::unique_ptr<registry::Mirror> metadata_mirror_;
};

}  // namespace flotilla::agent
