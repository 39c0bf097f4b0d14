// NameIndex: which unit has a name. It keeps no names: who asks brings a way to compare. Open
// addressing with linear probing; eight bytes a slot, at least a quarter of them free. Loop thread
// only; a part of UnitGraph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace flotilla::init {

class NameIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // `has_name(unit)` says whether the name is that unit's; kNone where it is nobody's.
  template <typename HasName>
  uint32_t find(std::string_view name, HasName&& has_name) const {
    const size_t slot = find_slot(name, has_name);
    return slot == slots_.size() ? kNone : slots_[slot].unit;
  }
  // Requires: nobody has the name.
  void insert(std::string_view name, uint32_t unit) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    place({hash_of(name), unit});
    ++used_;
  }
  // Harmless where nobody has the name.
  template <typename HasName>
  void erase(std::string_view name, HasName&& has_name) {
    size_t hole = find_slot(name, has_name);
    if (hole == slots_.size()) return;
    --used_;
    // Those behind it that would not be found any more move up.
    for (size_t next = following(hole); slots_[next].unit != kNone; next = following(next)) {
      const size_t home = slots_[next].hash & mask();
      if (((next - home) & mask()) < ((next - hole) & mask())) continue;
      slots_[hole] = slots_[next];
      hole = next;
    }
    slots_[hole] = {};
  }
  size_t size() const noexcept { return used_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t unit = kNone;
  };
  static constexpr size_t kFirst = 64;

  static uint32_t hash_of(std::string_view name) noexcept {
    return static_cast<uint32_t>(std::hash<std::string_view>()(name));
  }
  size_t mask() const noexcept { return slots_.size() - 1; }
  size_t following(size_t slot) const noexcept { return (slot + 1) & mask(); }

  // slots_.size() where there is none.
  template <typename HasName>
  size_t find_slot(std::string_view name, HasName&& has_name) const {
    if (slots_.empty()) return 0;
    const uint32_t hash = hash_of(name);
    for (size_t slot = hash & mask(); slots_[slot].unit != kNone; slot = following(slot)) {
      if (slots_[slot].hash == hash && has_name(slots_[slot].unit)) return slot;
    }
    return slots_.size();
  }
  void place(Slot entry) noexcept {
    size_t slot = entry.hash & mask();
    while (slots_[slot].unit != kNone) slot = following(slot);
    slots_[slot] = entry;
  }
  void grow() {
    std::vector<Slot> before(slots_.empty() ? kFirst : slots_.size() * 2);
    std::swap(slots_, before);
    for (const Slot& entry : before) {
      if (entry.unit != kNone) place(entry);
    }
  }

  std::vector<Slot> slots_;  // a power of two of them, or none
  size_t used_ = 0;
};

}  // namespace flotilla::init
