#include "engine/wish_ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/classes.h"

namespace flotilla::engine {

WishLedger::WishLedger(const registry::Cluster& cluster, const Wants& wants) : wants_(wants) {
  for (const auto& [id, machine] : cluster.machines) metadata_[id] = cluster.metadata_of(machine);
  for (const auto& [name, asks] : wants_) {
    const std::string& key = asks.wishes.spread;
    const std::string group = key.empty() || asks.global ? std::string() : template_of(name);
    if (group.empty()) continue;
    std::vector<Crowd>& crowds = crowds_[group];
    const bool is_known = std::any_of(crowds.begin(), crowds.end(),
                                      [&key](const Crowd& crowd) { return crowd.key == key; });
    if (!is_known) crowds.push_back({key, {}});
  }
  if (crowds_.empty()) return;
  for (const auto& [name, machines] : cluster.schedule) {
    const auto group = crowds_.find(template_of(name));
    const auto unit = cluster.units.find(name);
    if (group == crowds_.end() || unit == cluster.units.end() ||
        unit->second.desired == registry::TargetState::kInactive) {
      continue;
    }
    for (const auto& [machine, entry] : machines) {
      if (entry.is_leaving || !metadata_.contains(machine)) continue;
      for (Crowd& crowd : group->second) ++crowd.units[value_at(machine, crowd.key)];
    }
  }
}

// Machines without the key are alike.
std::string WishLedger::value_at(const std::string& machine, const std::string& key) const {
  const auto metadata = metadata_.find(machine);
  if (metadata == metadata_.end()) return {};
  const auto value = metadata->second.find(key);
  return value == metadata->second.end() ? std::string() : value->second;
}

const std::vector<WishLedger::Crowd>* WishLedger::crowds_of(std::string_view unit) const {
  if (crowds_.empty()) return nullptr;
  const auto found = crowds_.find(template_of(unit));
  return found == crowds_.end() ? nullptr : &found->second;
}

uint64_t WishLedger::missed(const std::string& unit, const std::string& machine) const {
  uint64_t missed = 0;
  const auto metadata = metadata_.find(machine);
  for (const auto& [key, rule] : wants_.at(unit).wishes.prefer) {
    if (metadata == metadata_.end()) {
      ++missed;
      continue;
    }
    const auto value = metadata->second.find(key);
    if (value == metadata->second.end() || !rule.holds_for(value->second)) ++missed;
  }
  return missed;
}

bool WishLedger::has_wishes(const std::string& unit) const {
  return !wants_.at(unit).wishes.prefer.empty() || crowds_of(unit) != nullptr;
}

WishLedger::Change WishLedger::change(const std::string& unit, const std::string& from,
                                      const std::string& to) const {
  Change change;
  const uint64_t missed_before = missed(unit, from);
  change.cost.first = missed(unit, to);
  change.is_worse = change.cost.first > missed_before;
  change.is_better = change.cost.first < missed_before;
  const std::vector<Crowd>* crowds = crowds_of(unit);
  if (crowds == nullptr) return change;
  for (const Crowd& crowd : *crowds) {
    const std::string old_value = value_at(from, crowd.key);
    const std::string new_value = value_at(to, crowd.key);
    const uint64_t before = crowd.units.at(old_value);
    const auto others = crowd.units.find(new_value);
    const uint64_t after = old_value == new_value        ? before
                           : others == crowd.units.end() ? 1
                                                         : others->second + 1;
    change.cost.second += after;
    change.is_worse |= after > before;
    change.is_better |= after < before;
  }
  return change;
}

std::string WishLedger::why(const std::string& unit, const std::string& from,
                            const std::string& to) const {
  const size_t prefers = wants_.at(unit).wishes.prefer.size();
  const uint64_t before = missed(unit, from);
  const uint64_t after = missed(unit, to);
  if (after < before) {
    return fmt::format("meets {} of {} preferences instead of {}", prefers - after, prefers,
                       prefers - before);
  }
  for (const Crowd& crowd : *crowds_of(unit)) {
    const std::string old_value = value_at(from, crowd.key);
    const std::string new_value = value_at(to, crowd.key);
    if (old_value == new_value) continue;
    const auto others = crowd.units.find(new_value);
    return fmt::format("{}={} has {} units of {}, {}={} has {}", crowd.key, old_value,
                       crowd.units.at(old_value), template_of(unit), crowd.key, new_value,
                       others == crowd.units.end() ? 0 : others->second);
  }
  return {};
}

void WishLedger::move(const std::string& unit, const std::string& from, const std::string& to) {
  const auto group = crowds_.empty() ? crowds_.end() : crowds_.find(template_of(unit));
  if (group == crowds_.end()) return;
  for (Crowd& crowd : group->second) {
    --crowd.units[value_at(from, crowd.key)];
    ++crowd.units[value_at(to, crowd.key)];
  }
}

}  // namespace flotilla::engine
