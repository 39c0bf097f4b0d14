#include "registry/text_sharing.h"

#include <algorithm>
#include <utility>

namespace flotilla::registry {

SharedText name_in(const Cluster& cluster, const std::string& unit) {
  if (const auto it = cluster.units.find(unit); it != cluster.units.end()) return it->first;
  if (const auto it = cluster.schedule.find(unit); it != cluster.schedule.end()) return it->first;
  if (const auto it = cluster.states.find(unit); it != cluster.states.end()) return it->first;
  return unit;
}

SharedText hash_in(const Cluster& cluster, const SharedText& unit, SharedText hash) {
  const auto found = cluster.units.find(unit);
  if (found != cluster.units.end() && found->second.hash == hash) return found->second.hash;
  if (const auto of_unit = cluster.schedule.find(unit); of_unit != cluster.schedule.end()) {
    for (const auto& [machine, entry] : of_unit->second) {
      if (entry.hash == hash) return entry.hash;
    }
  }
  if (const auto of_unit = cluster.states.find(unit); of_unit != cluster.states.end()) {
    // Of a global unit there may be one for each machine: the first will do.
    const auto first = of_unit->second.begin();
    if (first != of_unit->second.end() && first->second.hash == hash) return first->second.hash;
  }
  return hash;
}

UnitTexts::Texts& UnitTexts::slot_of(std::string_view unit) {
  size_t at = std::hash<std::string_view>()(unit) & (slots_.size() - 1);
  while (!slots_[at].name.empty() && !(slots_[at].name == unit))
    at = (at + 1) & (slots_.size() - 1);
  return slots_[at];
}

SharedText UnitTexts::name(std::string_view unit) {
  if (2 * taken_ >= slots_.size()) {
    std::vector<Texts> old = std::exchange(slots_, {});
    slots_.resize(std::max<size_t>(64, 2 * old.size()));
    for (Texts& texts : old) {
      if (!texts.name.empty()) slot_of(texts.name) = std::move(texts);
    }
  }
  Texts& texts = slot_of(unit);
  if (texts.name.empty()) {
    texts.name = unit;
    ++taken_;
  }
  return texts.name;
}

SharedText UnitTexts::hash(const SharedText& unit, const SharedText& hash) {
  Texts& texts = slot_of(unit);
  if (texts.hash.empty()) texts.hash = hash;
  return texts.hash == hash ? texts.hash : hash;
}

SharedText Words::shared(std::string_view word) {
  if (word.empty()) return {};
  const auto found = words_.find(word);
  if (found != words_.end()) return *found;
  if (words_.size() >= sweep_at_) {
    std::erase_if(words_, [](const SharedText& known) { return known.is_alone(); });
    sweep_at_ = std::max<size_t>(1000, 2 * words_.size());
  }
  return *words_.emplace(word).first;
}

}  // namespace flotilla::registry
