// The simulation's only source of chance: the same seed gives the same numbers with every compiler.
#pragma once

#include <cstdint>
#include <vector>

namespace flotilla::sim {

class Random {
 public:
  // Neighbouring seeds must not be neighbouring places in one sequence.
  explicit Random(uint64_t seed) : state_(seed * 0xd1342543de82ef95ULL) { state_ = next(); }

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // From 0 to `end` - 1. Requires: end > 0.
  uint64_t below(uint64_t end) { return next() % end; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low + 1)));
  }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <typename T>
  const T& pick(const std::vector<T>& items) {
    return items[below(items.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace flotilla::sim
