// The descriptors that services store with the manager. The keeper has a copy of each under the
// number that the side file gives to name and unit, so that they outlive a manager's crash.
#include <fcntl.h>

#include <algorithm>

#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

constexpr int kWarning = 4;
constexpr int kDebug = 7;
constexpr std::string_view kKeptPrefix = "fdstore";

std::string kept_name(uint64_t number) { return fmt::format("{}{}", kKeptPrefix, number); }

}  // namespace

// A stored descriptor whose other end went away.
struct ServiceRuntime::Stored final : StoredFd {
  Stored(Manager::Impl& owner, Unit& of_unit)
      : StoredFd(Callback<void(uint32_t)>::to<&Stored::on_events>(*this)),
        manager(owner),
        unit(of_unit) {}
  void on_events(uint32_t) { manager.on_stored_hangup(unit, number); }

  Manager::Impl& manager;
  Unit& unit;
};

bool Manager::Impl::is_kept_for_fd_store(std::string_view name) noexcept {
  return name.substr(0, kKeptPrefix.size()) == kKeptPrefix ||
         name.substr(0, kPlacesPrefix.size()) == kPlacesPrefix;
}

void Manager::Impl::take_descriptors(Unit& unit, const NotifyMessage& message) {
  if (message.fd_store_remove) {
    if (!message.fd_name || !is_fd_name(*message.fd_name)) {
      return log_of(unit, kWarning,
                    "FDSTOREREMOVE=1 requested, but no or invalid file descriptor name passed, "
                    "ignoring.");
    }
    return remove_stored(unit, *message.fd_name);
  }
  if (!message.fd_store) return;
  std::string_view name = message.fd_name.value_or(kDefaultFdName);
  if (!is_fd_name(name)) {
    log_of(unit, kWarning, "Passed FDNAME= name is invalid, ignoring.");
    name = kDefaultFdName;
  }
  const uint32_t most = unit.settings.service->fd_store_max;
  bool added = false;
  for (base::Fd& fd : message.fds) {
    if (unit.n_fd_store() >= most) {
      log_of(unit, kWarning,
             fmt::format("Cannot store more fds than FileDescriptorStoreMax={}, closing remaining.",
                         most));
      break;
    }
    const auto& store = unit.service->extras->fd_store;
    if (store && store->contains(fd.get())) continue;
    store_one(unit, std::move(fd), name, message.fd_poll, ++last_stored_);
    added = true;
  }
  if (added) save_fd_store(unit);
}

namespace {

FdStore& fd_store_of(ServiceRuntime& runtime) {
  auto& store = runtime.extras.edit().fd_store;
  if (!store) store = std::make_unique<FdStore>();
  return *store;
}

}  // namespace

void Manager::Impl::store_one(Unit& unit, base::Fd fd, std::string_view name, bool is_polled,
                              uint64_t number) {
  FdStore& store = fd_store_of(*unit.service);
  auto made = std::make_unique<ServiceRuntime::Stored>(*this, unit);
  made->number = number;
  made->name = name;
  made->is_polled = is_polled;
  made->fd = std::move(fd);
  StoredFd& stored = store.add(std::move(made));
  if (edges.keeper != nullptr) {
    const std::string key = kept_name(number);
    const KeptFd kept{key, stored.fd.get()};
    if (const auto done = edges.keeper->store({&kept, 1}); !done) {
      log_of(unit, kWarning, done.error().message);
    }
  }
  // Plain files cannot be watched, nor do they hang up.
  if (is_polled) static_cast<void>(edges.program.watch(stored.source, stored.fd.get(), 0));
  log_of(unit, kDebug, fmt::format("Added fd {} ({}) to fd store.", stored.fd.get(), name));
}

void Manager::Impl::forget_stored(const StoredFd& stored) {
  if (edges.keeper != nullptr) {
    static_cast<void>(edges.keeper->remove(kept_name(stored.number)));
  }
}

void Manager::Impl::remove_stored(Unit& unit, std::string_view name) {
  const auto& store = unit.service->extras->fd_store;
  if (!store) return;
  bool any = false;
  while (const auto taken = store->take([&](const StoredFd& at) { return at.name == name; })) {
    forget_stored(*taken);
    any = true;
  }
  if (any) save_fd_store(unit);
}

void Manager::Impl::on_stored_hangup(Unit& unit, uint64_t number) {
  const auto& store = unit.service->extras->fd_store;
  if (!store) return;
  const auto taken = store->take([&](const StoredFd& at) { return at.number == number; });
  if (!taken) return;
  log_of(unit, kDebug,
         fmt::format("The other end of stored fd {} ({}) is gone, closing.", taken->fd.get(),
                     taken->name));
  forget_stored(*taken);
  save_fd_store(unit);
}

void Manager::Impl::save_fd_store(Unit& unit) {
  note_changed(unit);
  if (edges.side == nullptr) return;
  const auto& store = unit.service->extras->fd_store;
  const std::string text = store ? store->text() : std::string();
  if (const auto done = edges.side->put(unit.id, SideKind::kFdStoreNames, text); !done) {
    log_of(unit, kWarning, done.error().message);
  }
}

void Manager::Impl::release_fd_store(Unit& unit) {
  const auto& store = unit.service->extras->fd_store;
  if (!store) return;
  for (const auto& stored : store->all()) forget_stored(*stored);
  unit.service->extras.edit().fd_store.reset();
  save_fd_store(unit);
}

void Manager::Impl::take_back_stored(std::string_view kept, base::Fd fd) {
  inherited_stored_.emplace(std::string(kept), std::move(fd));
}

void Manager::Impl::restore_fd_store(Unit& unit) {
  if (edges.side == nullptr) return;
  const std::string text(edges.side->find(unit.id, SideKind::kFdStoreNames));
  for (const FdStoreLine& line : parse_fd_store(text)) {
    const auto found = inherited_stored_.find(kept_name(line.number));
    if (found == inherited_stored_.end()) continue;
    last_stored_ = std::max(last_stored_, line.number);
    auto made = std::make_unique<ServiceRuntime::Stored>(*this, unit);
    made->number = line.number;
    made->name = line.name;
    made->is_polled = line.is_polled;
    made->fd = std::move(found->second);
    inherited_stored_.erase(found);
    StoredFd& stored = fd_store_of(*unit.service).add(std::move(made));
    if (line.is_polled) static_cast<void>(edges.program.watch(stored.source, stored.fd.get(), 0));
  }
}

void Manager::Impl::drop_unclaimed_stored() {
  for (const auto& [name, fd] : inherited_stored_) {
    if (edges.keeper != nullptr) static_cast<void>(edges.keeper->remove(name));
  }
  inherited_stored_.clear();
}

// What is passed to the main process. The names are one string, colons between them.
std::vector<int> Manager::Impl::passed_descriptors(const Unit& unit, std::string& names) const {
  std::vector<int> fds;
  const auto& store = unit.service->extras->fd_store;
  if (!store) return fds;
  for (const auto& stored : store->all()) {
    if (!fds.empty()) names.push_back(':');
    names += stored->name;
    fds.push_back(stored->fd.get());
    if (!unit.settings.service->non_blocking) continue;
    const int flags = fcntl(stored->fd.get(), F_GETFL);
    if (flags >= 0) fcntl(stored->fd.get(), F_SETFL, flags | O_NONBLOCK);
  }
  return fds;
}

}  // namespace flotilla::init
