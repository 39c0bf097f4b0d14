// The descriptors a keeper holds, each with a name: a packed table in static memory, so that it
// touches no more of it than it needs. No heap, no exceptions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "init/keeper_protocol.h"

namespace flotilla::init {

class HeldFds {
 public:
  static constexpr size_t kCapacity = size_t{512} * 1024;  // bytes of entries

  // False if there is no room: the caller keeps the descriptor.
  bool add(const char* name, size_t name_size, int fd) noexcept;
  // Closes and forgets all with this name.
  void remove(const char* name, size_t name_size) noexcept;
  void remove_all() noexcept;
  uint32_t count() const noexcept { return count_; }

  // Copies what stands from the `cursor`-th byte on: at most `most` descriptors and `names_size`
  // bytes of names, each ended by a NUL. Returns how many, and moves the cursor behind them.
  size_t copy(size_t& cursor, int* fds, size_t most, char* names, size_t names_size,
              size_t& names_used) const noexcept;

 private:
  // An entry: the descriptor (4 bytes), the size of the name (1), the name.
  static constexpr size_t kEntryHead = 5;
  int fd_at(size_t offset) const noexcept;
  size_t name_size_at(size_t offset) const noexcept {
    return static_cast<unsigned char>(entries_[offset + 4]);
  }

  char entries_[kCapacity] = {};
  size_t used_ = 0;
  uint32_t count_ = 0;
};

}  // namespace flotilla::init
