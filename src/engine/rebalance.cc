#include "engine/rebalance.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/scheduler.h"
#include "engine/wish_ledger.h"
#include "registry/codec.h"
#include "unit/fleet_glob.h"
#include "unit/fleet_requirements.h"
#include "unit/oneshot.h"

namespace flotilla::engine {

namespace {

using registry::Cluster;
using registry::Move;
using registry::TargetState;

// At a time: each move asks about a unit on every machine.
constexpr size_t kMaxMoves = 1000;
// Two operations, and a condition, for each; one more of each kind for the request and the lead.
constexpr size_t kMovesPerTxn = store::kMaxTxnOps / 2 - 1;

struct Candidate {
  std::string name;
  uint64_t weight = 1;
  bool is_stuck = false;  // nobody could take it when it was last tried
};

class Plan {
 public:
  explicit Plan(const Cluster& cluster)
      : cluster_(cluster), wants_(wants_of(cluster_)), ledger_(cluster_, wants_) {
    for (const auto& [name, wants] : wants_) {
      for (const std::string& peer : wants.peers) {
        const bool is_pattern = peer.find_first_of("*?[\\") != std::string::npos;
        is_pattern ? patterns_.push_back(peer) : void(peers_.insert(peer));
      }
    }
    for (const auto& [id, machine] : cluster_.machines) loads_[id] = 0;
    for (const auto& [name, wants] : wants_) count(name, wants);
    for (const auto& [name, machines] : cluster_.schedule) {
      if (!may_move(name, machines)) continue;
      const unit::PlacementWishes& wishes = wants_.at(name).wishes;
      candidates_[machines.begin()->first].push_back({name, wishes.weight});
      // It will be gone from where it is told of when it is placed again.
      if (wishes.stops_on_partition) cluster_.states.erase(name);
    }
    scheduler_.read(cluster_);
    for (auto& [id, candidates] : candidates_) {
      // The heaviest that fits brings most; names break ties.
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.weight > b.weight; });
    }
  }

  std::vector<Move> run() {
    meet_wishes();
    while (moves_.size() < kMaxMoves) {
      std::optional<Move> move = find_move();
      // What could not move may be able to now that others have.
      if (!move && has_moved_since_reset_) {
        reset_stuck();
        move = find_move();
      }
      if (!move) break;
      make(std::move(*move));
    }
    return std::move(moves_);
  }

 private:
  using ByLoad = std::vector<std::pair<uint64_t, std::string>>;

  static WishLedger::Wants wants_of(const Cluster& cluster) {
    WishLedger::Wants wants;
    for (const auto& [name, unit] : cluster.units) {
      wants.emplace(name, unit::extract_requirements(unit.options, name));
    }
    return wants;
  }

  // Where it is, or is going to be.
  void count(const std::string& name, const unit::FleetRequirements& wants) {
    if (cluster_.units.at(name).desired == TargetState::kInactive) return;
    if (cluster_.find_finished(name) != nullptr) return;
    if (wants.global) {
      for (const auto& [id, machine] : cluster_.machines) {
        if (wants.allows_metadata(cluster_.metadata_of(machine))) loads_[id] += wants.wishes.weight;
      }
      return;
    }
    const auto scheduled = cluster_.schedule.find(name);
    if (scheduled == cluster_.schedule.end()) return;
    for (const auto& [id, entry] : scheduled->second) {
      const auto load = loads_.find(id);
      if (load != loads_.end() && !entry.is_leaving) load->second += wants.wishes.weight;
    }
  }

  bool may_move(const std::string& name,
                const registry::ByName<registry::ScheduleEntry>& machines) const {
    const auto unit = cluster_.units.find(name);
    if (unit == cluster_.units.end() || machines.size() != 1 ||
        cluster_.unreadable_units.contains(name)) {
      return false;
    }
    const auto& [machine, entry] = *machines.begin();
    const bool is_settled = cluster_.machines.contains(machine) &&
                            entry.hash == unit->second.hash &&
                            entry.target == unit->second.desired && !entry.is_leaving;
    return is_settled && unit->second.desired != TargetState::kInactive &&
           !wants_.at(name).global && !unit::is_oneshot(unit->second.options) && !is_followed(name);
  }

  bool is_followed(const std::string& name) const {
    return peers_.contains(name) ||
           std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
             return unit::glob_matches(pattern, name);
           });
  }

  bool may_go(const std::string& unit, const std::string& to) {
    if (!scheduler_.may_move(unit, to)) return false;
    // It is placed anew when it is gone from the old place: that must lead to the same.
    const bool stops_first = wants_.at(unit).wishes.stops_on_partition;
    return !stops_first || scheduler_.find_other_machine(unit) == to;
  }

  ByLoad by_load() const {
    ByLoad machines;
    for (const auto& [id, load] : loads_) machines.emplace_back(load, id);
    std::sort(machines.begin(), machines.end());
    return machines;
  }

  // Each to the place that meets most of what it wishes for, while there is a better one.
  void meet_wishes() {
    std::map<std::string, std::string> wishful;  // unit -> machine
    for (const auto& [id, candidates] : candidates_) {
      for (const Candidate& unit : candidates) {
        if (ledger_.has_wishes(unit.name)) wishful.emplace(unit.name, id);
      }
    }
    for (bool has_moved = true; has_moved;) {
      has_moved = false;
      for (auto it = wishful.begin(); it != wishful.end() && moves_.size() < kMaxMoves;) {
        std::optional<Move> move = find_better(it->first, it->second);
        if (!move) {
          ++it;
          continue;
        }
        make(std::move(*move));
        it = wishful.erase(it);
        has_moved = true;
      }
    }
  }

  std::optional<Move> find_better(const std::string& unit, const std::string& from) {
    std::map<std::pair<WishLedger::Cost, std::pair<uint64_t, std::string>>, bool> better;
    for (const auto& [id, load] : loads_) {
      if (id == from) continue;
      const WishLedger::Change change = ledger_.change(unit, from, id);
      if (change.is_better && !change.is_worse) better[{change.cost, {load, id}}] = true;
    }
    for (const auto& [place, yes] : better) {
      const std::string& to = place.second.second;
      if (may_go(unit, to)) return Move{unit, from, to, ledger_.why(unit, from, to)};
    }
    return std::nullopt;
  }

  // From the machine with the most that can give something, to the one with the least that can
  // take it.
  std::optional<Move> find_move() {
    const ByLoad machines = by_load();
    for (auto from = machines.rbegin(); from != machines.rend(); ++from) {
      for (Candidate& unit : candidates_[from->second]) {
        // Nothing gets closer than that.
        if (unit.is_stuck || machines.front().first + unit.weight >= from->first) continue;
        if (auto move = find_target(unit, *from, machines)) return move;
        unit.is_stuck = true;
      }
    }
    return std::nullopt;
  }

  std::optional<Move> find_target(const Candidate& unit, const ByLoad::value_type& from,
                                  const ByLoad& machines) {
    if (unit.weight == 0) return std::nullopt;
    for (const auto& [load, id] : machines) {
      if (load + unit.weight >= from.first) return std::nullopt;
      if (ledger_.change(unit.name, from.second, id).is_worse || !may_go(unit.name, id)) continue;
      return Move{unit.name, from.second, id,
                  fmt::format("its machine has a load of {}, the other of {}", from.first, load)};
    }
    return std::nullopt;
  }

  void reset_stuck() {
    for (auto& [id, candidates] : candidates_) {
      for (Candidate& unit : candidates) unit.is_stuck = false;
    }
    has_moved_since_reset_ = false;
  }

  void make(Move move) {
    const uint64_t weight = wants_.at(move.unit).wishes.weight;
    loads_[move.from] -= weight;
    loads_[move.to] += weight;
    ledger_.move(move.unit, move.from, move.to);
    std::vector<Candidate>& there = candidates_[move.from];
    std::erase_if(there, [&](const Candidate& unit) { return unit.name == move.unit; });
    auto& scheduled = cluster_.schedule[move.unit];
    scheduled.clear();
    scheduled[move.to] = schedule_entry_of(cluster_.units.at(move.unit), move.to);
    registry::ClusterChange change;
    change.schedule.insert(move.unit);
    scheduler_.update(cluster_, change);
    has_moved_since_reset_ = true;
    moves_.push_back(std::move(move));
  }

  Cluster cluster_;      // as it is, and then as it will be
  Scheduler scheduler_;  // that is told of it
  const WishLedger::Wants wants_;
  WishLedger ledger_;
  std::set<std::string> peers_;            // units that others name in MachineOf= ...
  std::vector<std::string> patterns_;      // ... and what matches those that they mean
  std::map<std::string, uint64_t> loads_;  // of the machines that are there
  std::map<std::string, std::vector<Candidate>> candidates_;  // by machine
  std::vector<Move> moves_;
  bool has_moved_since_reset_ = false;
};

}  // namespace

std::vector<Move> plan_rebalance(const Cluster& cluster) { return Plan(cluster).run(); }

store::TxnRequest begin_moves(const Cluster& cluster, const registry::Keys& keys,
                              const std::vector<Move>& moves, store::Revision leads_at) {
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys.leader(), leads_at));
  size_t bytes = 0;
  size_t begun = 0;
  for (const Move& move : moves) {
    const registry::Unit& unit = cluster.units.at(move.unit);
    registry::ScheduleEntry old = cluster.schedule.at(move.unit).at(move.from);
    const std::string next = registry::encode(schedule_entry_of(unit, move.to));
    const std::string key = keys.schedule(move.from, move.unit);
    if (begun == kMovesPerTxn ||
        (begun > 0 && bytes + 2 * next.size() > store::kAdvisedRequestBytes)) {
      return txn;
    }
    ++begun;
    bytes += 2 * next.size();
    txn.compares.push_back(store::mod_is(key, old.mod_revision));
    const bool runs_once =
        unit::extract_requirements(unit.options, unit.name).wishes.stops_on_partition;
    if (runs_once) {
      // Placed again when it is gone from there: by its load that is where it was to go.
      txn.then_ops.emplace_back(store::DeleteRangeOp{key, {}});
      continue;
    }
    // The view leaves texts out; with the unit's goes the unit's hash.
    old.hash = unit.hash;
    old.text = unit::serialize(unit.options);
    old.is_leaving = true;
    txn.then_ops.emplace_back(store::PutOp{key, registry::encode(old)});
    txn.then_ops.emplace_back(store::PutOp{keys.schedule(move.to, move.unit), next});
  }
  txn.then_ops.emplace_back(store::DeleteRangeOp{keys.rebalance(), {}});
  return txn;
}

}  // namespace flotilla::engine
