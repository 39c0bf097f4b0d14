#include "engine/rebalance.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/scheduler.h"
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
};

class Plan {
 public:
  explicit Plan(const Cluster& cluster) : cluster_(cluster) {
    for (const auto& [name, unit] : cluster_.units) {
      wants_.emplace(name, unit::extract_requirements(unit.options, name));
    }
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
      candidates_[machines.begin()->first].push_back(candidate(name));
      // It will be gone from where it is told of when it is placed again.
      if (wants_.at(name).wishes.stops_on_partition) cluster_.states.erase(name);
    }
    scheduler_.read(cluster_);
    for (auto& [id, candidates] : candidates_) {
      // The heaviest that fits brings most; names break ties.
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.weight > b.weight; });
    }
  }

  std::vector<Move> run() {
    std::vector<Move> moves;
    while (moves.size() < kMaxMoves) {
      std::optional<Move> move = find_move();
      if (!move) break;
      apply(*move);
      moves.push_back(std::move(*move));
    }
    return moves;
  }

 private:
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
                const std::map<std::string, registry::ScheduleEntry>& machines) const {
    const auto unit = cluster_.units.find(name);
    if (unit == cluster_.units.end() || machines.size() != 1 ||
        cluster_.unreadable_units.contains(name)) {
      return false;
    }
    const auto& [machine, entry] = *machines.begin();
    const unit::FleetRequirements& wants = wants_.at(name);
    const bool is_settled = cluster_.machines.contains(machine) &&
                            entry.hash == unit->second.hash &&
                            entry.target == unit->second.desired && !entry.is_leaving;
    const bool is_free = !wants.global && wants.replaces.empty() && wants.wishes.spread.empty() &&
                         wants.wishes.prefer.empty() && !unit::is_oneshot(unit->second.options);
    return is_settled && is_free && wants.wishes.weight > 0 && !is_followed(name);
  }

  bool is_followed(const std::string& name) const {
    return peers_.contains(name) ||
           std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
             return unit::glob_matches(pattern, name);
           });
  }

  Candidate candidate(const std::string& name) const {
    return {name, wants_.at(name).wishes.weight};
  }

  // From the machine with the most that can give something, to the one with the least that can
  // take it.
  std::optional<Move> find_move() {
    std::vector<std::pair<uint64_t, std::string>> by_load;
    for (const auto& [id, load] : loads_) by_load.emplace_back(load, id);
    std::sort(by_load.begin(), by_load.end());
    for (auto from = by_load.rbegin(); from != by_load.rend(); ++from) {
      for (const Candidate& unit : candidates_[from->second]) {
        // Nothing gets closer than that.
        if (by_load.front().first + unit.weight >= from->first) continue;
        if (auto to = find_target(unit, from->first, by_load)) {
          return Move{unit.name, from->second, std::move(*to)};
        }
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> find_target(
      const Candidate& unit, uint64_t from_load,
      const std::vector<std::pair<uint64_t, std::string>>& by_load) {
    // What was refused once is not asked for again; what was allowed may have ceased to be.
    const auto known = allowed_.find(unit.name);
    if (known != allowed_.end() && !pick(known->second, unit, from_load, by_load)) {
      return std::nullopt;
    }
    std::set<std::string>& allowed = allowed_[unit.name];
    allowed.clear();
    for (const Verdict& verdict : scheduler_.explain(unit.name)) {
      if (verdict.why_not.empty()) allowed.insert(verdict.machine);
    }
    return pick(allowed, unit, from_load, by_load);
  }

  static std::optional<std::string> pick(
      const std::set<std::string>& allowed, const Candidate& unit, uint64_t from_load,
      const std::vector<std::pair<uint64_t, std::string>>& by_load) {
    for (const auto& [load, id] : by_load) {
      if (load + unit.weight >= from_load) return std::nullopt;
      if (allowed.contains(id)) return id;
    }
    return std::nullopt;
  }

  void apply(const Move& move) {
    const uint64_t weight = wants_.at(move.unit).wishes.weight;
    loads_[move.from] -= weight;
    loads_[move.to] += weight;
    std::vector<Candidate>& there = candidates_[move.from];
    std::erase_if(there, [&](const Candidate& unit) { return unit.name == move.unit; });
    auto& scheduled = cluster_.schedule[move.unit];
    scheduled.clear();
    scheduled[move.to] = schedule_entry_of(cluster_.units.at(move.unit), move.to);
    registry::ClusterChange change;
    change.schedule.insert(move.unit);
    scheduler_.update(cluster_, change);
  }

  Cluster cluster_;      // as it is, and then as it will be
  Scheduler scheduler_;  // that is told of it
  std::map<std::string, unit::FleetRequirements> wants_;
  std::set<std::string> peers_;            // units that others name in MachineOf= ...
  std::vector<std::string> patterns_;      // ... and what matches those that they mean
  std::map<std::string, uint64_t> loads_;  // of the machines that are there
  std::map<std::string, std::vector<Candidate>> candidates_;  // by machine
  std::map<std::string, std::set<std::string>> allowed_;      // unit -> where it may run
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
    old.is_leaving = true;
    txn.then_ops.emplace_back(store::PutOp{key, registry::encode(old)});
    txn.then_ops.emplace_back(store::PutOp{keys.schedule(move.to, move.unit), next});
  }
  txn.then_ops.emplace_back(store::DeleteRangeOp{keys.rebalance(), {}});
  return txn;
}

}  // namespace flotilla::engine
