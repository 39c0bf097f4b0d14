// The watches of a LocalStore: each remembers the next revision it wants and is fed from history, a
// bounded batch per turn of the loop, so that a reader far behind costs no memory and loses
// nothing.
#include <algorithm>
#include <utility>

#include "store/local_store.h"
#include "store/request_check.h"

namespace flotilla::store {

using base::Status;

namespace {

constexpr size_t kMaxBatchBytes = size_t{1024} * 1024;
constexpr size_t kMaxBatchScan = 8192;

}  // namespace

struct LocalStore::Watcher {
  WatchRequest request;
  WatchHandler handler;
  Revision next = 0;  // the first revision not yet delivered
  bool is_over = false;
};

class LocalStore::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(std::weak_ptr<LocalStore*> store, uint64_t id, std::shared_ptr<Watcher> watcher)
      : store_(std::move(store)), id_(id), watcher_(std::move(watcher)) {}
  ~WatchRegistration() override {
    watcher_->is_over = true;
    if (const auto store = store_.lock()) (*store)->watchers_.erase(id_);
  }
  WatchRegistration(const WatchRegistration&) = delete;
  WatchRegistration& operator=(const WatchRegistration&) = delete;

 private:
  std::weak_ptr<LocalStore*> store_;
  uint64_t id_;
  std::shared_ptr<Watcher> watcher_;
};

base::RegistrationPtr LocalStore::watch(WatchRequest request, WatchHandler handler) {
  auto watcher = std::make_shared<Watcher>();
  watcher->request = std::move(request);
  watcher->handler = std::move(handler);
  watcher->next =
      watcher->request.from_revision == 0 ? committed_ + 1 : watcher->request.from_revision;
  const uint64_t id = next_watcher_++;
  if (Status status = check_request(watcher->request); !status) {
    post_guarded([watcher, status = std::move(status)] {
      if (watcher->is_over) return;
      watcher->is_over = true;
      if (watcher->handler.on_lost) watcher->handler.on_lost(status.error());
    });
  } else {
    watchers_.emplace(id, watcher);
    schedule_dispatch();
  }
  return std::make_unique<WatchRegistration>(self_, id, std::move(watcher));
}

void LocalStore::schedule_dispatch() {
  if (is_dispatch_due_ || watchers_.empty()) return;
  is_dispatch_due_ = true;
  post_guarded([this] { dispatch(); });
}

void LocalStore::dispatch() {
  is_dispatch_due_ = false;
  std::vector<std::shared_ptr<Watcher>> behind;
  for (const auto& [id, watcher] : watchers_) {
    if (watcher->next <= committed_) behind.push_back(watcher);
  }
  const std::weak_ptr alive(self_);
  bool is_any_behind = false;
  for (const auto& watcher : behind) {
    if (watcher->is_over) continue;
    const bool is_behind = deliver(watcher);
    if (alive.expired()) return;
    is_any_behind = is_any_behind || is_behind;
  }
  if (is_any_behind) schedule_dispatch();
}

Revision LocalStore::oldest_watched() const {
  Revision oldest = committed_ + 1;
  for (const auto& [id, watcher] : watchers_) {
    if (watcher->next > keyspace_.compact_revision()) oldest = std::min(oldest, watcher->next);
  }
  return oldest;
}

bool LocalStore::deliver(const std::shared_ptr<Watcher>& watcher) {
  const Revision compacted = keyspace_.compact_revision();
  if (watcher->next <= compacted) {
    watcher->is_over = true;
    std::erase_if(watchers_, [&](const auto& entry) { return entry.second == watcher; });
    if (watcher->handler.on_compacted) watcher->handler.on_compacted(compacted);
    return false;
  }
  Replay replay = keyspace_.replay(watcher->request, watcher->next, committed_,
                                   kMaxWatchBatchEvents, kMaxBatchBytes, kMaxBatchScan);
  watcher->next = replay.scanned_to + 1;
  const bool is_behind = watcher->next <= committed_;
  if (!replay.events.empty() && watcher->handler.on_events) {
    watcher->handler.on_events(WatchBatch{replay.scanned_to, std::move(replay.events)});
  }
  return is_behind;
}

}  // namespace flotilla::store
