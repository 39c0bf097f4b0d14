// FailureMoves: which failed units are to go to another machine, and when. For units with
// RescheduleOnFailure=N: one that its machine's service manager has given up is moved, at most N
// times, the next time not before a pause that grows. How often and when stands in the unit's
// history in the store, so that another leader goes on with it; a unit that has been active for
// long begins anew.
//
// Pure but for what it remembers; time comes in with each call. Told of the cluster's changes like
// Scheduler; its work follows the units that have failed or were moved.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/decision.h"
#include "registry/cluster_view.h"
#include "registry/keys.h"
#include "registry/objects.h"

namespace flotilla::engine {

// Between the move with this number, from 1 on, and the next.
base::Micros pause_after_move(uint32_t move);
// Active for so long, a unit is well.
inline constexpr base::Micros kWellAfter = std::chrono::minutes(10);

class FailureMoves {
 public:
  struct Times {
    base::MonotonicTime now;
    base::WallTime wall;  // asked only of what was there before the leader
  };
  // All there is. Requires: nothing has been told before.
  void read(const registry::Cluster& cluster, Times times);
  void update(const registry::Cluster& cluster, const registry::ClusterChange& change, Times times);

  struct Due {
    std::vector<std::string> moves;  // units to move, if there is a machine for them
    std::vector<std::string> well;   // units of which the moves are to be forgotten
    base::Micros next{0};            // when to look again, if nothing changes; 0: never
  };
  Due due(base::MonotonicTime now) const;
  // Whether a change of the unit's state may make one of them due.
  bool is_watching(const std::string& unit) const { return watched_.contains(unit); }

 private:
  struct Watched {
    bool has_failed = false;
    base::MonotonicTime may_move_at;
    store::Revision moved_revision = 0;  // of the history that may_move_at follows from
    base::MonotonicTime well_at = base::MonotonicTime::never();
    uint64_t active_since = 0;  // as told, for well_at
  };
  void look_at(const registry::Cluster& cluster, const std::string& unit, Times times,
               bool is_new_to_us);

  std::set<std::string, std::less<>> movable_;  // units that ask for it
  std::map<std::string, Watched> watched_;
};

// What a user should know of the moves of a unit, or nothing.
std::string tell_moves(const registry::Cluster& cluster, std::string_view unit);

// One transaction that moves each unit, and counts it: valid while the lead is that of the
// revision, and each unit, its place, its failure and its history are as `cluster` has them.
// Requires: each has been due; at most kMovesAtOnce.
inline constexpr size_t kMovesAtOnce = 20;
store::TxnRequest move_failed(const registry::Cluster& cluster, const registry::Keys& keys,
                              const std::vector<registry::Move>& moves, base::WallTime now,
                              store::Revision leads_at);
// One that forgets the moves of units that are well, at most kMovesAtOnce.
store::TxnRequest forget_moves(const registry::Cluster& cluster, const registry::Keys& keys,
                               const std::vector<std::string>& units, store::Revision leads_at);

}  // namespace flotilla::engine
