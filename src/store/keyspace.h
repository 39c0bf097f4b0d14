// The multi-version map that the stores inside this process keep in memory: every version of every
// key since the last compaction, in the order of the revisions. Knows no files, time or threads.
// Owned by LocalStore; loop thread only.
//
// A change is applied first and may be taken back by truncate() until it is durable elsewhere: the
// owner reads at a revision it holds for committed, and never shows a later one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace flotilla::store {

// Names one change: `sub` counts the changes of one revision from 0.
struct ChangeId {
  Revision revision = 0;
  int32_t sub = 0;
};

// One key changed at one revision.
struct Change {
  ChangeId id;
  std::string key;
  std::shared_ptr<const std::string> value;  // null: the key was deleted
  Revision create_revision = 0;
  int64_t version = 0;  // 0: deleted
  LeaseId lease = 0;
  bool is_leased_only = false;  // neither the old nor the new version outlives a lease
};

// The part of history that one watch sees in [from, scanned_to].
struct Replay {
  std::vector<Event> events;
  Revision scanned_to = 0;
};

class Keyspace {
 public:
  Revision revision() const { return revision_; }
  Revision compact_revision() const { return compact_revision_; }
  // Bytes of keys and values that compaction at revision() would free.
  size_t superseded_bytes() const { return superseded_bytes_; }

  // The range at request.revision, or at `now` if that is 0. Requires: the request is well formed.
  base::Result<RangeResponse> range(const RangeRequest& request, Revision now) const;
  bool holds(const Compare& compare) const;
  const std::set<std::string, std::less<>>& keys_of(LeaseId lease) const;
  std::vector<LeaseId> leases_in_use() const;

  // Does `ops` as revision() + 1; the revision stays if they change nothing. Appends what changed.
  // Requires: the operations are well formed and reads in them are at readable revisions.
  std::vector<OpResponse> apply(const std::vector<Op>& ops, std::vector<Change>& changes);
  // Deletes the keys of a lease as one revision.
  void delete_keys_of(LeaseId lease, std::vector<Change>& changes);
  // Takes back every change after `revision`. Requires: compact_revision() <= revision.
  void truncate(Revision revision);
  // Forgets superseded versions and returns their names. Requires: compact_revision() < revision.
  std::vector<ChangeId> compact(Revision revision);

  // Puts back a change read from a file. Fails with kInvalid unless they come in ascending order
  // and fit each other.
  base::Status restore(Change change);
  // Ends restore(): the revision and compaction that the file tells.
  void finish_restore(Revision revision, Revision compact_revision);

  // Events of [from, to] for one watch: whole revisions, until `max_events` or `max_bytes` is
  // reached or about `max_scanned` changes were looked at. Requires: from > compact_revision().
  Replay replay(const WatchRequest& watch, Revision from, Revision to, size_t max_events,
                size_t max_bytes, size_t max_scanned) const;

 private:
  struct Version {
    ChangeId id;
    std::shared_ptr<const std::string> value;
    Revision create_revision = 0;
    int64_t version = 0;
    LeaseId lease = 0;
  };
  using Versions = std::vector<Version>;  // ascending, never empty
  using Map = std::map<std::string, Versions, std::less<>>;
  struct LogEntry {
    ChangeId id;
    Map::iterator key;
  };

  static size_t bytes_of(const Map::value_type& entry, const Version& version);
  static const Version* find_at(const Versions& versions, Revision at);
  static KeyValue key_value(const std::string& key, const Version& version, bool keys_only);
  void push(const std::string& key, Version version, std::vector<Change>* changes);
  void put(const PutOp& op, ChangeId id, std::vector<Change>& changes);
  int64_t delete_range(const DeleteRangeOp& op, Revision revision, int32_t& sub,
                       std::vector<Change>& changes);
  void attach(LeaseId lease, const std::string& key);
  void detach(LeaseId lease, const std::string& key);
  Event event_of(const LogEntry& entry, bool with_prev) const;

  Map keys_;
  std::deque<LogEntry> log_;  // every change after compact_revision_, ascending
  std::map<LeaseId, std::set<std::string, std::less<>>> lease_keys_;
  Revision revision_ = 1;
  Revision compact_revision_ = 0;
  size_t superseded_bytes_ = 0;
};

// Is `key` in the range? For the meaning of range_end see store.h.
bool in_range(std::string_view key, std::string_view start, std::string_view range_end);

}  // namespace flotilla::store
