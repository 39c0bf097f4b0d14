// A store that is lost with the process: for tests, and for trying things out.
#pragma once

#include <memory>

#include "store/store.h"

namespace flotilla::store {

// Keeps all history until compact() is called.
// Requires: `loop` outlives the store.
std::unique_ptr<Store> make_memory_store(base::EventLoop& loop);

}  // namespace flotilla::store
