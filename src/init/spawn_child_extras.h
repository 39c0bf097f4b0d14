// The steps of a spawned child that few processes need; under the rules of spawn_child.h: raw
// system calls alone. Each returns 0 or more, or -errno.
#pragma once

#include <cstdint>

#include "init/exit_code.h"
#include "init/spawn_extras.h"

namespace flotilla::init {

// Of a failure; set by the functions that do several steps.
struct ChildFailure {
  SpawnStage stage = SpawnStage::kNone;
};

long take_terminal(const SpawnExtras& extras) noexcept;
long set_coredump_filter(const SpawnExtras& extras) noexcept;
// CPU, memory and I/O scheduling, timer slack, personality.
long set_scheduling(const SpawnExtras& extras, ChildFailure& failure) noexcept;
long join_keyring(const SpawnKeyring& keyring) noexcept;

// Around the change of the user id, in this order; `uid` is UINT32_MAX where it does not change.
long limit_capabilities(const SpawnExtras& extras) noexcept;
long keep_capabilities(const SpawnExtras& extras, uint32_t uid) noexcept;
long raise_ambient_again(const SpawnExtras& extras) noexcept;
long set_secure_bits(const SpawnExtras& extras) noexcept;

}  // namespace flotilla::init
