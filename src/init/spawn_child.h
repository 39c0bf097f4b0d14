// The child's side of a spawn: runs on a stack of its own in the manager's memory while the manager
// is suspended, so it may call nothing but raw system calls, allocate nothing, and write to nothing
// but its stack and the SpawnOrder. Built without sanitizers.
#pragma once

#include <cstddef>

#include "init/spawner.h"

struct clone_args;

namespace flotilla::init {

inline constexpr uint32_t kMaxPassedFds = 1024;

struct SpawnOrder {
  const ExecSpec* spec = nullptr;
  // Sources of 0, 1, 2, 3, ...; the child moves some out of the way.
  int* sources = nullptr;
  uint32_t source_count = 0;
  // The child shares the manager's table of descriptors until it takes a copy of those below this
  // number: a copy of all would cost more than the whole spawn where there are thousands. 0: it has
  // a table of its own already.
  int unshare_files_from = 0;
  // What clone3 does for its callers and clone does not: -1, or the directory of the v2 cgroup to
  // join, and whether the manager's signal handlers are still those of the child.
  int join_cgroup = -1;
  bool clear_handlers = false;
  // The answer. kNone if the exec succeeded.
  SpawnStage stage = SpawnStage::kNone;
  int error = 0;
};

// `context` is a SpawnOrder*. Does not return if the exec succeeds; else returns the exit code.
int run_spawn_child(void* context) noexcept;

}  // namespace flotilla::init

extern "C" long flotilla_clone3(clone_args* args, size_t size, int (*child)(void*),
                                void* context) noexcept;
extern "C" long flotilla_clone(unsigned long flags, void* stack_end, int* parent_tid,
                               int (*child)(void*), void* context) noexcept;
