#include "store/open_store.h"

#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace flotilla::store {

namespace {

constexpr std::string_view kSqlite = "sqlite:";

}  // namespace

base::Status check_store_address(std::string_view address) {
  if (address == kSqlite) {
    return base::invalid("store \"{}\": expected a path after sqlite:", address);
  }
  if (address == "memory:" || address.starts_with(kSqlite)) return {};
  return base::invalid("store \"{}\": expected sqlite:PATH or memory:", address);
}

base::Result<std::unique_ptr<Store>> open_store(std::string_view address, base::EventLoop& loop) {
  FLOTILLA_TRY(check_store_address(address));
  if (address == "memory:") return make_memory_store(loop);
  return open_sqlite_store(std::string(address.substr(kSqlite.size())), loop);
}

}  // namespace flotilla::store
