#include "engine/failure_moves.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "registry/codec.h"
#include "unit/fleet_requirements.h"

namespace flotilla::engine {

namespace {

using registry::Cluster;
using registry::TargetState;
using registry::UnitHistory;
using registry::UnitState;

constexpr base::Micros kFirstPause = std::chrono::seconds(10);
constexpr base::Micros kLongestPause = std::chrono::minutes(10);

// Of most units the section is not even looked at.
uint32_t limit_of(const Cluster& cluster, std::string_view name) {
  const auto found = cluster.units.find(name);
  if (found == cluster.units.end() || cluster.unreadable_units.contains(name)) return 0;
  const std::vector<unit::UnitOption>& options = found->second.options;
  const bool asks = std::any_of(options.begin(), options.end(), [](const auto& option) {
    return option.name == "RescheduleOnFailure" && option.section == "X-Fleet";
  });
  if (!asks) return 0;
  const unit::FleetRequirements wants = unit::extract_requirements(options, name);
  return wants.global ? 0 : wants.wishes.reschedules;
}

// Of the unit as it is now, else null.
const UnitHistory* find_history(const Cluster& cluster, std::string_view name) {
  const auto history = cluster.histories.find(name);
  const auto unit = cluster.units.find(name);
  const bool is_meant = history != cluster.histories.end() && unit != cluster.units.end() &&
                        history->second.hash == unit->second.hash && history->second.moves > 0;
  return is_meant ? &history->second : nullptr;
}

// What the one machine that has it says of a unit that it is to run and has started; else null.
const UnitState* find_started_state(const Cluster& cluster, std::string_view name) {
  const auto unit = cluster.units.find(name);
  const auto scheduled = cluster.schedule.find(name);
  if (unit == cluster.units.end() || unit->second.desired != TargetState::kLaunched ||
      scheduled == cluster.schedule.end() || scheduled->second.size() != 1) {
    return nullptr;
  }
  const auto& [machine, entry] = *scheduled->second.begin();
  const UnitState* state = cluster.find_state(name, machine);
  const bool is_meant = state != nullptr && state->launched && state->hash == unit->second.hash &&
                        entry.hash == unit->second.hash && !entry.is_leaving &&
                        entry.target == TargetState::kLaunched;
  return is_meant ? state : nullptr;
}

// How much of a time that began then is over: clocks of machines differ.
base::Micros part_over(base::WallTime now, uint64_t begin_usec, base::Micros whole) {
  const base::Micros over =
      now.since_epoch - base::Micros(static_cast<int64_t>(begin_usec & INT64_MAX));
  return std::clamp(over, base::Micros(0), whole);
}

}  // namespace

base::Micros pause_after_move(uint32_t move) {
  base::Micros pause = kFirstPause;
  for (uint32_t i = 1; i < move && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}

void FailureMoves::read(const Cluster& cluster, Times times) {
  for (const auto& [name, unit] : cluster.units) {
    if (limit_of(cluster, name) == 0) continue;
    movable_.insert(name);
    look_at(cluster, name, times, true);
  }
}

void FailureMoves::update(const Cluster& cluster, const registry::ClusterChange& change,
                          Times times) {
  for (const std::string& name : change.units) {
    if (limit_of(cluster, name) != 0) {
      movable_.insert(name);
    } else {
      movable_.erase(name);
      watched_.erase(name);
    }
  }
  for (const auto* names : {&change.units, &change.schedule, &change.states}) {
    for (const std::string& name : *names) {
      if (movable_.contains(name)) look_at(cluster, name, times, false);
    }
  }
}

void FailureMoves::look_at(const Cluster& cluster, const std::string& unit, Times times,
                           bool is_new_to_us) {
  const UnitHistory* history = find_history(cluster, unit);
  const UnitState* state = find_started_state(cluster, unit);
  const bool has_failed = state != nullptr && state->active_state == "failed";
  if (history == nullptr && !has_failed) {
    watched_.erase(unit);
    return;
  }
  Watched& watched = watched_[unit];
  const uint32_t moves = history != nullptr ? history->moves : 0;
  watched.has_failed = has_failed && moves < limit_of(cluster, unit);
  if (history == nullptr) {
    watched.may_move_at = {};
    watched.moved_revision = 0;
  } else if (watched.moved_revision != history->mod_revision) {
    const base::Micros pause = pause_after_move(moves);
    const base::Micros over =
        is_new_to_us ? part_over(times.wall, history->moved_usec, pause) : base::Micros(0);
    watched.may_move_at = times.now + (pause - over);
    watched.moved_revision = history->mod_revision;
  }
  const bool is_active = history != nullptr && state != nullptr && state->active_state == "active";
  if (!is_active) {
    watched.well_at = base::MonotonicTime::never();
  } else if (watched.well_at == base::MonotonicTime::never() ||
             watched.active_since != state->active_enter_usec) {
    const base::Micros over = is_new_to_us
                                  ? part_over(times.wall, state->active_enter_usec, kWellAfter)
                                  : base::Micros(0);
    watched.well_at = times.now + (kWellAfter - over);
    watched.active_since = state->active_enter_usec;
  }
}

FailureMoves::Due FailureMoves::due(base::MonotonicTime now) const {
  Due due;
  const auto look_again_at = [&](base::MonotonicTime at) {
    const base::Micros wait = at - now;
    due.next = due.next == base::Micros(0) ? wait : std::min(due.next, wait);
  };
  for (const auto& [unit, watched] : watched_) {
    if (watched.has_failed && watched.may_move_at <= now) {
      due.moves.push_back(unit);
    } else if (watched.has_failed) {
      look_again_at(watched.may_move_at);
    } else if (watched.well_at <= now) {
      due.well.push_back(unit);
    } else if (watched.well_at != base::MonotonicTime::never()) {
      look_again_at(watched.well_at);
    }
  }
  return due;
}

std::string tell_moves(const Cluster& cluster, std::string_view unit) {
  const uint32_t limit = limit_of(cluster, unit);
  const UnitHistory* history = find_history(cluster, unit);
  const UnitState* state = find_started_state(cluster, unit);
  const bool has_failed = state != nullptr && state->active_state == "failed";
  if (limit == 0 || (history == nullptr && !has_failed)) return {};
  const uint32_t moves = history != nullptr ? history->moves : 0;
  std::string text = fmt::format("{}moved {} of {} times because it failed",
                                 has_failed ? "unit has failed here; " : "", moves, limit);
  if (!has_failed) return text;
  if (moves >= limit) return text + ", and stays";
  if (moves == 0) return text + ", the next time when another machine can take it";
  const auto next = std::chrono::system_clock::time_point(
      std::chrono::microseconds(static_cast<int64_t>(history->moved_usec & INT64_MAX)) +
      pause_after_move(moves));
  return text + fmt::format(", the next time from {:%Y-%m-%dT%H:%M:%SZ} on",
                            fmt::gmtime(std::chrono::system_clock::to_time_t(next)));
}

store::TxnRequest move_failed(const Cluster& cluster, const registry::Keys& keys,
                              const std::vector<registry::Move>& moves, base::WallTime now,
                              store::Revision leads_at) {
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys.leader(), leads_at));
  for (const registry::Move& move : moves) {
    const registry::Unit& unit = cluster.units.at(move.unit);
    const std::string history_key = keys.history(move.unit);
    const std::string place_key = keys.schedule(move.from, move.unit);
    // With its state: what must not run twice may have claimed to start anew.
    const registry::UnitState& state = cluster.states.at(move.unit).at(move.from);
    txn.compares.push_back(store::mod_is(keys.unit(move.unit), unit.mod_revision));
    txn.compares.push_back(
        store::mod_is(place_key, cluster.schedule.at(move.unit).at(move.from).mod_revision));
    txn.compares.push_back(store::mod_is(keys.state(move.unit, move.from), state.mod_revision));
    const auto known = cluster.histories.find(move.unit);
    UnitHistory history;
    if (known == cluster.histories.end()) {
      txn.compares.push_back(store::key_is_absent(history_key));
    } else {
      txn.compares.push_back(store::mod_is(history_key, known->second.mod_revision));
      if (known->second.hash == unit.hash) history = known->second;
    }
    history.hash = unit.hash;
    history.moves += 1;
    history.moved_usec = static_cast<uint64_t>(now.since_epoch.count());
    txn.then_ops.emplace_back(store::PutOp{history_key, registry::encode(history)});
    txn.then_ops.emplace_back(store::DeleteRangeOp{place_key, {}});
    txn.then_ops.emplace_back(store::PutOp{keys.schedule(move.to, move.unit),
                                           registry::encode(schedule_entry_of(unit, move.to))});
  }
  return txn;
}

store::TxnRequest forget_moves(const Cluster& cluster, const registry::Keys& keys,
                               const std::vector<std::string>& units, store::Revision leads_at) {
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys.leader(), leads_at));
  for (const std::string& unit : units) {
    const std::string key = keys.history(unit);
    txn.compares.push_back(store::mod_is(key, cluster.histories.at(unit).mod_revision));
    txn.then_ops.emplace_back(store::DeleteRangeOp{key, {}});
  }
  return txn;
}

}  // namespace flotilla::engine
