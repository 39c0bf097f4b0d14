#include "store/memory_store.h"

#include "store/local_store.h"

namespace flotilla::store {

std::unique_ptr<Store> make_memory_store(base::EventLoop& loop) {
  return std::make_unique<LocalStore>(loop, LocalState{}, nullptr, Retention{});
}

}  // namespace flotilla::store
