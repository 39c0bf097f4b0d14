#include "engine/rebalance.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/parties.h"
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

// What moves as a whole: one unit, or a party of them.
struct Candidate {
  std::vector<std::string> units;
  uint64_t weight = 0;
  bool is_stuck = false;  // nobody could take it when it was last tried
};

class Plan {
 public:
  explicit Plan(const Cluster& cluster)
      : cluster_(cluster), wants_(wants_of(cluster_)), ledger_(cluster_, wants_) {
    for (const auto& [name, wants] : wants_) {
      if (!wants.global) continue;
      for (const std::string& peer : wants.peers) followed_by_globals_.push_back(peer);
    }
    for (const auto& [id, machine] : cluster_.machines) loads_[id] = 0;
    for (const auto& [name, wants] : wants_) count(name, wants);
    collect_candidates();
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
      if (even_out_once()) continue;
      // What could not move may be able to now that others have.
      if (!has_moved_since_reset_) break;
      reset_stuck();
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

  bool may_move(const std::string& name) const {
    const auto& machines = cluster_.schedule.at(name);
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
           !wants_.at(name).global && !unit::is_oneshot(unit->second.options) &&
           !is_followed_by_globals(name);
  }

  bool is_followed_by_globals(const std::string& name) const {
    return std::any_of(followed_by_globals_.begin(), followed_by_globals_.end(),
                       [&](const std::string& peer) { return unit::glob_matches(peer, name); });
  }

  void collect_candidates() {
    std::map<std::string, std::vector<std::string>> units;  // by machine
    for (const auto& [name, machines] : cluster_.schedule) {
      if (!cluster_.units.contains(name)) continue;
      for (const auto& [id, entry] : machines) {
        if (!entry.is_leaving) units[id].push_back(name);
      }
    }
    for (const auto& [id, names] : units) {
      std::set<std::string> followed;
      for (const Party& party : parties_among(names, wants_)) {
        for (size_t i = 0; i < party.units.size(); ++i) {
          if (party.is_followed[i]) followed.insert(party.units[i]);
        }
        if (may_move_together(party)) add_candidate(id, party.units);
      }
      for (const std::string& name : names) {
        if (may_move(name) && !followed.contains(name)) add_candidate(id, {name});
      }
    }
  }

  void add_candidate(const std::string& machine, std::vector<std::string> units) {
    Candidate candidate;
    for (const std::string& unit : units) {
      const unit::PlacementWishes& wishes = wants_.at(unit).wishes;
      candidate.weight += wishes.weight;
      // It will be gone from where it is told of when it is placed again.
      if (wishes.stops_on_partition) cluster_.states.erase(unit);
    }
    candidate.units = std::move(units);
    candidates_[machine].push_back(std::move(candidate));
  }

  // Not if whoever is followed would stop before it runs elsewhere: its followers would go with it
  // to wherever it is placed then, if they can.
  bool may_move_together(const Party& party) const {
    if (party.units.size() > kMovesPerTxn) return false;
    size_t bytes = 0;
    for (size_t i = 0; i < party.units.size(); ++i) {
      const std::string& name = party.units[i];
      if (!may_move(name)) return false;
      if (party.is_followed[i] && wants_.at(name).wishes.stops_on_partition) return false;
      bytes += 2 * unit::serialize(cluster_.units.at(name).options).size();
    }
    return bytes < store::kAdvisedRequestBytes / 2;
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
    std::map<std::string, std::pair<Candidate, std::string>> wishful;  // by name: and the machine
    for (const auto& [id, candidates] : candidates_) {
      for (const Candidate& party : candidates) {
        const bool has_wishes =
            std::any_of(party.units.begin(), party.units.end(),
                        [&](const std::string& unit) { return ledger_.has_wishes(unit); });
        // A party is known by all its names: its first may also go alone.
        if (!has_wishes) continue;
        wishful.emplace(fmt::format("{}", fmt::join(party.units, " ")), std::pair(party, id));
      }
    }
    for (bool has_moved = true; has_moved;) {
      has_moved = false;
      for (auto it = wishful.begin(); it != wishful.end() && moves_.size() < kMaxMoves;) {
        const auto& [party, from] = it->second;
        const bool is_gone =
            std::any_of(party.units.begin(), party.units.end(),
                        [&](const std::string& unit) { return moved_.contains(unit); });
        if (!is_gone && !move_to_better(party, from)) {
          ++it;
          continue;
        }
        has_moved |= !is_gone;
        it = wishful.erase(it);
      }
    }
  }

  bool move_to_better(const Candidate& party, const std::string& from) {
    std::set<std::pair<WishLedger::Cost, std::pair<uint64_t, std::string>>> better;
    for (const auto& [id, load] : loads_) {
      if (id == from) continue;
      const WishLedger::Change change = change_of(party, from, id);
      if (change.is_better && !change.is_worse) better.insert({change.cost, {load, id}});
    }
    for (const auto& [cost, place] : better) {
      const std::string& to = place.second;
      // There is one: the change is better in what it is for some unit.
      const std::string& gainer = *std::find_if(
          party.units.begin(), party.units.end(),
          [&](const std::string& unit) { return ledger_.change(unit, from, to).is_better; });
      if (move_together(party, from, to, gainer, ledger_.why(gainer, from, to))) return true;
    }
    return false;
  }

  // As if each moved alone: what is told of the whole is only known when they move.
  WishLedger::Change change_of(const Candidate& party, const std::string& from,
                               const std::string& to) const {
    WishLedger::Change all;
    for (const std::string& unit : party.units) {
      const WishLedger::Change one = ledger_.change(unit, from, to);
      all.is_better |= one.is_better;
      all.is_worse |= one.is_worse;
      all.cost.first += one.cost.first;
      all.cost.second += one.cost.second;
    }
    return all;
  }

  // From the machine with the most that can give something, to the one with the least that can
  // take it.
  bool even_out_once() {
    const ByLoad machines = by_load();
    for (auto from = machines.rbegin(); from != machines.rend(); ++from) {
      for (Candidate& party : candidates_[from->second]) {
        // Nothing gets closer than that.
        if (party.is_stuck || machines.front().first + party.weight >= from->first) continue;
        // What has moved is no candidate any more.
        const Candidate tried = party;
        if (move_to_less(tried, *from, machines)) return true;
        party.is_stuck = true;
      }
    }
    return false;
  }

  bool move_to_less(const Candidate& party, const ByLoad::value_type& from,
                    const ByLoad& machines) {
    if (party.weight == 0) return false;
    for (const auto& [load, id] : machines) {
      if (load + party.weight >= from.first) return false;
      const std::string why =
          fmt::format("its machine has a load of {}, the other of {}", from.first, load);
      if (move_together(party, from.second, id, party.units.front(), why)) return true;
    }
    return false;
  }

  // All of them or none: whether every rule allows it, and no wish is met less, for each once those
  // before it have moved.
  bool move_together(const Candidate& party, const std::string& from, const std::string& to,
                     const std::string& gainer, const std::string& why) {
    for (size_t i = 0; i < party.units.size(); ++i) {
      const std::string& unit = party.units[i];
      if (!ledger_.change(unit, from, to).is_worse && may_go(unit, to)) {
        put(unit, from, to);
        continue;
      }
      while (i-- > 0) put(party.units[i], to, from);
      return false;
    }
    for (const std::string& unit : party.units) {
      const bool is_first = &unit == &party.units.front();
      moves_.push_back(
          {unit, from, to, unit == gainer ? why : "it goes with " + gainer, !is_first});
      moved_.insert(unit);
    }
    has_moved_since_reset_ = true;
    std::erase_if(candidates_[from], [&](const Candidate& other) {
      return std::any_of(other.units.begin(), other.units.end(),
                         [&](const std::string& unit) { return moved_.contains(unit); });
    });
    return true;
  }

  void put(const std::string& unit, const std::string& from, const std::string& to) {
    const uint64_t weight = wants_.at(unit).wishes.weight;
    loads_[from] -= weight;
    loads_[to] += weight;
    ledger_.move(unit, from, to);
    auto& scheduled = cluster_.schedule[unit];
    scheduled.clear();
    scheduled[to] = schedule_entry_of(cluster_.units.at(unit), to);
    registry::ClusterChange change;
    change.schedule.insert(unit);
    scheduler_.update(cluster_, change);
  }

  void reset_stuck() {
    for (auto& [id, candidates] : candidates_) {
      for (Candidate& unit : candidates) unit.is_stuck = false;
    }
    has_moved_since_reset_ = false;
  }

  Cluster cluster_;      // as it is, and then as it will be
  Scheduler scheduler_;  // that is told of it
  const WishLedger::Wants wants_;
  WishLedger ledger_;
  std::vector<std::string> followed_by_globals_;  // names and patterns
  std::set<std::string> moved_;
  std::map<std::string, uint64_t> loads_;                     // of the machines that are there
  std::map<std::string, std::vector<Candidate>> candidates_;  // by machine
  std::vector<Move> moves_;
  bool has_moved_since_reset_ = false;
};

struct Size {
  size_t moves = 0;
  size_t bytes = 0;
};

// Of the move and those that are begun with it.
Size size_of_party(const Cluster& cluster, const std::vector<Move>& moves, size_t first) {
  Size size;
  for (size_t i = first; i < moves.size() && (i == first || moves[i].goes_with_last); ++i) {
    ++size.moves;
    const registry::Unit& unit = cluster.units.at(moves[i].unit);
    size.bytes += 2 * registry::encode(schedule_entry_of(unit, moves[i].to)).size();
  }
  return size;
}

}  // namespace

std::vector<Move> plan_rebalance(const Cluster& cluster) { return Plan(cluster).run(); }

store::TxnRequest begin_moves(const Cluster& cluster, const registry::Keys& keys,
                              const std::vector<Move>& moves, store::Revision leads_at) {
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys.leader(), leads_at));
  size_t bytes = 0;
  size_t begun = 0;
  for (size_t i = 0; i < moves.size(); ++i) {
    const Move& move = moves[i];
    const registry::Unit& unit = cluster.units.at(move.unit);
    registry::ScheduleEntry old = cluster.schedule.at(move.unit).at(move.from);
    const std::string next = registry::encode(schedule_entry_of(unit, move.to));
    const std::string key = keys.schedule(move.from, move.unit);
    if (!move.goes_with_last && begun > 0) {
      const Size more = size_of_party(cluster, moves, i);
      if (begun + more.moves > kMovesPerTxn || bytes + more.bytes > store::kAdvisedRequestBytes) {
        return txn;
      }
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
