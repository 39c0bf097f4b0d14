// SparseArray: an array of N elements most of which are never set, for settings of which each unit
// uses a few. Takes room for those that were written alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/compact_vector.h"

namespace flotilla::init {

template <typename T, size_t N>
class SparseArray {
 public:
  struct Element {
    uint8_t index;
    T value;
  };
  static_assert(N <= 256);

  static constexpr size_t size() noexcept { return N; }

  // Requires: index < N. What was never written is as T begins.
  const T& operator[](size_t index) const noexcept {
    static const T unset{};
    for (const Element& element : elements_) {
      if (element.index == index) return element.value;
    }
    return unset;
  }
  // Makes it; references to other elements end.
  T& operator[](size_t index) {
    for (Element& element : elements_) {
      if (element.index == index) return element.value;
    }
    return elements_.push_back({static_cast<uint8_t>(index), T{}}).value;
  }

  // Those that were written, in the order of their first writing.
  auto begin() const noexcept { return elements_.begin(); }
  auto end() const noexcept { return elements_.end(); }

 private:
  base::CompactVector<Element> elements_;
};

}  // namespace flotilla::init
