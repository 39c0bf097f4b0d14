// Placement: which unit is on which machine while decide() works, and whether a unit can run on a
// machine. Lives for one pass; refers into the cluster and the requirements it was made from.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/cordon.h"
#include "registry/objects.h"
#include "unit/fleet_requirements.h"

namespace flotilla::engine {

struct Host;

// A unit as the pass sees it. A unit whose record cannot be read is frozen: it counts where it is,
// and is not touched.
struct Job {
  std::string_view name;
  const registry::Unit* unit = nullptr;                   // null: the unit does not exist
  const unit::FleetRequirements* requirements = nullptr;  // never null
  bool is_frozen = false;
  bool is_template = false;
  std::string_view machine;  // empty: on none
  std::string group;         // of an instance: its template; else empty
};

// What units ask for, or a machine has. 0 of a machine: not known, and not held against anybody.
struct Capacity {
  uint64_t cpu_millis = 0;
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
};

struct Host {
  std::string_view id;
  registry::Metadata metadata;
  registry::Cordon cordon = registry::Cordon::kOpen;
  std::map<std::string_view, Job*> jobs;     // that count here: desired state not inactive
  std::map<std::string_view, Job*> globals;  // that fit and conflict with nothing here
  Capacity capacity;
  Capacity used;                                           // by jobs and globals
  size_t weight = 0;                                       // of jobs and globals
  std::map<std::string, size_t, std::less<>> group_sizes;  // template -> jobs of it here
  size_t load() const { return weight; }
};

class Placement {
 public:
  // Requires: add_job() and add_global() for all before settle_globals(); jobs outlive it.
  explicit Placement(const registry::Cluster& cluster);

  void add_global(Job& job) { globals_.push_back(&job); }
  void add_replacer(Job& job) { replacers_.push_back(&job); }
  // Puts the globals where they fit, beside the jobs placed so far.
  void settle_globals();

  Host* find_host(std::string_view machine);
  const std::map<std::string_view, Host>& hosts() const { return hosts_; }
  void place(Job& job, Host& host);
  void remove(Job& job);

  // Why the job cannot run there, or nothing. A job that is there already is not compared with
  // itself. To move in, nobody there may want to replace it.
  enum class Mode : uint8_t { kStay, kMoveIn };
  std::optional<std::string> why_not(const Job& job, const Host& host, Mode mode) const;
  // As why_not(), for a global unit: it asks for metadata and peers, and avoids conflicts, no more.
  std::optional<std::string> why_not_global(const Job& job, const Host& host) const;

  // Of the machines that can take it the one with the most of what it prefers, then the fewest of
  // its template where it spreads them, then the least weight of units, then the lowest id; or
  // null.
  Host* find_machine_for(const Job& job);

  // Whether `job` pushes `other` off a machine. Not if `other` does, directly or through others,
  // the same to `job`: such a ring would push for ever.
  bool replaces(const Job& job, const Job& other) const;

 private:
  using ByLoad = std::set<std::pair<size_t, std::string_view>>;
  void settle_globals_of(Host& host);
  const Job* find_conflict(const Job& job, const Host& host) const;
  Host* find_preferred(const Job& job);
  std::map<std::string, size_t> count_by_value(const std::string& key,
                                               const std::string& group) const;
  bool reaches_by_replacing(const Job& from, const Job& to) const;

  std::map<std::string_view, Host> hosts_;
  ByLoad by_load_;
  std::vector<Job*> globals_;    // by name
  std::vector<Job*> replacers_;  // jobs with Replaces=
};

}  // namespace flotilla::engine
