#include "store/open_store.h"

#include "store/etcd_store.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace flotilla::store {

namespace {

constexpr std::string_view kSqlite = "sqlite:";
constexpr std::string_view kEtcd = "etcd:";

}  // namespace

base::Status check_store_address(std::string_view address) {
  if (address == kSqlite) {
    return base::invalid("store \"{}\": expected a path after sqlite:", address);
  }
  if (address == "memory:" || address.starts_with(kSqlite)) return {};
  if (address.starts_with(kEtcd)) {
    auto endpoints = parse_etcd_endpoints(address.substr(kEtcd.size()));
    if (!endpoints) return base::unexpected(std::move(endpoints).error());
    return {};
  }
  return base::invalid("store \"{}\": expected sqlite:PATH, etcd:URL or memory:", address);
}

base::Result<std::unique_ptr<Store>> open_store(std::string_view address, base::EventLoop& loop,
                                                const EtcdSettings& etcd) {
  FLOTILLA_TRY(check_store_address(address));
  if (address == "memory:") return make_memory_store(loop);
  if (address.starts_with(kEtcd)) {
    FLOTILLA_ASSIGN(EtcdOptions options, make_etcd_options(address.substr(kEtcd.size()), etcd));
    return make_etcd_store(std::move(options), loop);
  }
  return open_sqlite_store(std::string(address.substr(kSqlite.size())), loop);
}

bool is_for_one_daemon(std::string_view address) { return !address.starts_with(kEtcd); }

}  // namespace flotilla::store
