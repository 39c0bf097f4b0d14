// Gives back what a vector took when it was larger. `vector = {}` does not: it empties the vector
// and keeps its room.
#pragma once

#include <vector>

namespace flotilla::base {

template <typename T>
void release_room(std::vector<T>& vector) noexcept {
  std::vector<T>().swap(vector);
}

}  // namespace flotilla::base
