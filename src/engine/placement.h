// Placement: which unit is on which machine, and whether a unit can run on a machine. Kept from
// decision to decision; everything that is counted follows what is put in and taken out, so that a
// question costs nothing for the units it is not about.
//
// Owned by Scheduler, who says what follows from a change for other units.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/classes.h"
#include "engine/model.h"
#include "engine/ranking.h"

namespace flotilla::engine {

class Placement {
 public:
  Placement();
  ~Placement();
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;

  // --- Machines ---
  // That of the id, made as one that is not there if nobody has spoken of it.
  Host& host(std::string_view id);
  Host* find_host(std::string_view id);
  // To be called after presence, metadata, cordon or capacity of machines have changed.
  void reorder();
  const std::vector<Host*>& hosts() const { return fleet_.hosts; }  // present, by id
  const std::map<std::string, Host, std::less<>>& all_hosts() const { return hosts_; }

  // --- Units ---
  Job& job(std::string_view name);  // made if need be
  Job* find_job(std::string_view name);
  // All of which the names begin so, in order.
  std::vector<Job*> jobs_from(std::string_view prefix);
  // Requires: it is on no machine, and nobody points to it.
  void erase(Job& job);
  // Sorts it into the class of the options; nothing: of the same wishes as before, with the tags of
  // now. Tells whether the class is another.
  bool classify(Job& job, const std::vector<unit::UnitOption>* options);
  ClassTable& classes() { return classes_; }

  // Onto a machine, or (null) off the one it is on.
  void move(Job& job, Host* host);
  // To be called after something that wants_to_run() or is_frozen depends on has changed.
  void recount(Job& job);
  // Every class's view of the replacers may have changed.
  void set_replacer(Job& job, bool is_replacer);
  const std::set<Job*, ByName>& replacers() const { return replacers_; }

  // --- Globals ---
  void add_global(Job& job);
  // To be done before it changes its class, too. The machines that it leaves.
  std::vector<Host*> withdraw_global(Job& job);
  const std::set<Job*, ByName>& globals() const { return globals_; }
  // Whether a unit of this class coming or going can make a difference to a global.
  bool touches_globals(Class& cls);
  // Puts the globals where they fit, beside the jobs that are there; whether anything is different.
  bool settle_globals(Host& host);

  // --- Questions ---
  // Why the job cannot run there, or nothing. A job that is there already is not compared with
  // itself. To move in, nobody there may want to replace it.
  enum class Mode : uint8_t { kStay, kMoveIn };
  bool fits(const Job& job, const Host& host, Mode mode) const;
  std::optional<std::string> why_not(const Job& job, const Host& host, Mode mode) const;
  // As why_not(), for a global unit: it asks for metadata and peers, and avoids conflicts, no more.
  std::optional<std::string> why_not_global(const Job& job, const Host& host) const;
  // What counts for or against a machine that can take a unit with wishes about its place; empty
  // for one without.
  std::string describe_rank(const Job& job, const Host& host) const;
  bool has_conflict(const Job& job, const Host& host) const;
  bool is_overcommitted(const Host& host) const;
  bool is_peer_there(const Peer& peer, const Host& host) const;

  // Of the machines that can take it the first in Ranking's order, or null.
  Host* find_machine_for(Job& job);
  // The same without the one it is on.
  Host* find_other_machine_for(const Job& job);

  // Whether `job` pushes `other` off a machine. Not if `other` does, directly or through others,
  // the same to `job`: such a ring would push for ever.
  bool replaces(const Job& job, const Job& other) const;

 private:
  void count(Host& host, const Job& job, int by);
  void detach_peers(Job& job);
  void attach_peers(Job& job);
  bool fits_group(const Job& job, const Host& host, bool is_there) const;
  bool fits_capacity(const Job& job, const Host& host, bool is_there) const;
  bool has_peers(const Job& job, const Host& host) const;
  const Job* find_replacer(const Job& job, const Host& host) const;
  std::optional<std::string> find_missing_peer(const Job& job, const Host& host) const;
  const Job* find_conflict(const Job& job, const Host& host) const;
  std::optional<std::string> why_too_many(const Job& job, const Host& host) const;
  std::optional<std::string> why_no_room(const Job& job, const Host& host) const;
  Host* find_among(const std::vector<Host*>& hosts, const Job& job);
  Ranking::Crowd crowd_for(const Job& job);
  void count_crowd(const Host& host, TagId group, int by);
  bool is_still_hopeless(Job& job);
  bool reaches_by_replacing(const Job& from, const Job& to) const;
  void collect_global_tags();

  // The values that machines have of a metadata key, by number, and the units of a template where
  // the value is the same. Right while the fleet's epoch is theirs.
  struct Values {
    uint64_t epoch = 0;
    uint32_t count = 0;
    std::vector<uint32_t> of_host;  // by rank
  };
  struct Crowd {
    uint64_t epoch = 0;
    std::vector<uint32_t> units;  // by value
  };

  ClassTable classes_;
  Fleet fleet_;
  std::map<std::string, Values, std::less<>> values_;               // by key
  std::unordered_map<TagId, std::map<std::string, Crowd>> crowds_;  // by group and key
  std::map<std::string, Host, std::less<>> hosts_;
  std::map<std::string, Job, std::less<>> jobs_;
  std::set<Job*, ByName> replacers_;
  std::set<Job*, ByName> globals_;
  uint64_t globals_epoch_ = 1;
  uint64_t collected_epoch_ = 0;
  std::set<TagId> global_tags_;   // that a unit must bear to matter to a global ...
  std::set<TagId> global_names_;  // ... or name in its Conflicts=
};

}  // namespace flotilla::engine
