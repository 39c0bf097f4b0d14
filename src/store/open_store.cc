#include "store/open_store.h"

#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace flotilla::store {

base::Result<std::unique_ptr<Store>> open_store(std::string_view address, base::EventLoop& loop) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (address == "memory:") return make_memory_store(loop);
  if (address.starts_with(kSqlite)) {
    const std::string path(address.substr(kSqlite.size()));
    if (path.empty()) return base::invalid("store \"{}\": expected a path after sqlite:", address);
    return open_sqlite_store(path, loop);
  }
  return base::invalid("store \"{}\": expected sqlite:PATH or memory:", address);
}

}  // namespace flotilla::store
