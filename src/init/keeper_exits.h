// The exits a keeper saw and no manager has acknowledged yet: a ring in static memory. It never
// drops one: when it is full, the keeper stops reaping.
#pragma once

#include <cstddef>
#include <cstdint>

#include "init/keeper_protocol.h"

namespace flotilla::init {

// Exits are numbered from 0 by their place in time; their sequence numbers, by which they are
// acknowledged, are one more.
class ExitQueue {
 public:
  static constexpr size_t kCapacity = 4096;

  bool is_full() const noexcept { return end_ - begin_ == kCapacity; }
  uint64_t begin() const noexcept { return begin_; }  // the oldest that is not acknowledged
  uint64_t end() const noexcept { return end_; }
  // Requires: not full.
  void push(int32_t pid, int32_t code, int32_t status, uint32_t uid) noexcept {
    entries_[end_ % kCapacity] = {end_ + 1, pid, code, status, uid};
    ++end_;
  }
  // Forgets all up to this sequence number.
  void acknowledge(uint64_t sequence) noexcept {
    if (sequence > end_) sequence = end_;
    if (sequence > begin_) begin_ = sequence;
  }
  // Requires: begin() <= number < end().
  const KeeperExitEntry& at(uint64_t number) const noexcept { return entries_[number % kCapacity]; }

 private:
  KeeperExitEntry entries_[kCapacity] = {};
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

}  // namespace flotilla::init
