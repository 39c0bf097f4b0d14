// WishLedger: how well wishes of units about their places (Prefer=, Spread=) are met, and what a
// move would change in that. Kept while a plan moves units; the cost of a question does not depend
// on how many units there are. Spread= of any unit of a template is asked of all its units, as all
// are counted for it. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/objects.h"
#include "unit/fleet_requirements.h"

namespace flotilla::engine {

class WishLedger {
 public:
  using Wants = std::map<std::string, unit::FleetRequirements>;
  // Requires: both outlive it; `wants` has every unit of the cluster.
  WishLedger(const registry::Cluster& cluster, const Wants& wants);

  bool has_wishes(const std::string& unit) const;

  // What of the unit's wishes would not be met there, the most important first, compared as a
  // whole: the fewer the better.
  using Cost = std::pair<uint64_t, uint64_t>;  // preferences missed, units crowded together
  struct Change {
    bool is_worse = false;   // in one of them, whatever it gains in others
    bool is_better = false;  // in one of them
    Cost cost;               // at the new place
  };
  Change change(const std::string& unit, const std::string& from, const std::string& to) const;
  // Of a move that is better, for people.
  std::string why(const std::string& unit, const std::string& from, const std::string& to) const;

  void move(const std::string& unit, const std::string& from, const std::string& to);

 private:
  // The units of a template by the values of one metadata key.
  struct Crowd {
    std::string key;
    std::map<std::string, uint64_t> units;
  };
  std::string value_at(const std::string& machine, const std::string& key) const;
  uint64_t missed(const std::string& unit, const std::string& machine) const;
  const std::vector<Crowd>* crowds_of(std::string_view unit) const;

  const Wants& wants_;
  std::map<std::string, registry::Metadata> metadata_;             // by machine
  std::map<std::string, std::vector<Crowd>, std::less<>> crowds_;  // by template
};

}  // namespace flotilla::engine
