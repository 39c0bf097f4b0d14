#include "store/gated_store.h"

#include <utility>

namespace flotilla::store {

class GatedStore::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(GatedStore& store, std::shared_ptr<Watch> watch)
      : store_(store), alive_(store.alive_), watch_(std::move(watch)) {}
  ~WatchRegistration() override {
    watch_->inner.reset();
    if (!alive_.expired()) store_.watches_.erase(watch_);
  }
  WatchRegistration(const WatchRegistration&) = delete;
  WatchRegistration& operator=(const WatchRegistration&) = delete;

 private:
  GatedStore& store_;
  std::weak_ptr<bool> alive_;
  std::shared_ptr<Watch> watch_;
};

GatedStore::GatedStore(Store& inner, base::EventLoop& loop) : inner_(inner), loop_(loop) {}

GatedStore::~GatedStore() {
  for (const auto& watch : watches_) watch->inner.reset();
}

void GatedStore::shut(std::string why, std::function<bool(const TxnRequest&)> passes) {
  why_ = std::move(why);
  passes_ = std::move(passes);
  for (const auto& watch : watches_) watch->inner.reset();
}

void GatedStore::open() {
  const std::string why = std::exchange(why_, {});
  for (const auto& watch : watches_) {
    if (watch->inner) continue;
    loop_.post([this, alive = std::weak_ptr(alive_), watch, why] {
      if (alive.expired() || watches_.erase(watch) == 0 || !watch->handler.on_lost) return;
      watch->handler.on_lost(base::Error{base::Errc::kUnavailable, why});
    });
  }
}

template <typename T>
bool GatedStore::refuse(Callback<T>& done) {
  if (!is_shut()) return false;
  loop_.post([alive = std::weak_ptr(alive_), done = std::move(done), why = why_] {
    if (!alive.expired()) done(base::unavailable("{}", why));
  });
  return true;
}

void GatedStore::range(RangeRequest request, Callback<RangeResponse> done) {
  if (!refuse(done)) inner_.range(std::move(request), std::move(done));
}

void GatedStore::txn(TxnRequest request, Callback<TxnResponse> done) {
  const bool passes = is_shut() && passes_ && passes_(request);
  if (passes || !refuse(done)) inner_.txn(std::move(request), std::move(done));
}

void GatedStore::grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) {
  if (!refuse(done)) inner_.grant_lease(ttl, std::move(done));
}

void GatedStore::keep_alive(LeaseId lease, Callback<LeaseGrant> done) {
  inner_.keep_alive(lease, std::move(done));
}

void GatedStore::revoke_lease(LeaseId lease, Callback<Revision> done) {
  if (!refuse(done)) inner_.revoke_lease(lease, std::move(done));
}

void GatedStore::compact(Revision revision, Callback<Revision> done) {
  if (!refuse(done)) inner_.compact(revision, std::move(done));
}

// Each call keeps the watch: its handler may end it.
WatchHandler GatedStore::passing_on(const std::shared_ptr<Watch>& watch) {
  WatchHandler handler;
  handler.on_events = [weak = std::weak_ptr(watch)](const WatchBatch& batch) {
    const auto live = weak.lock();
    if (live && live->handler.on_events) live->handler.on_events(batch);
  };
  handler.on_compacted = [this, weak = std::weak_ptr(watch)](Revision revision) {
    const auto live = weak.lock();
    if (!live || watches_.erase(live) == 0) return;
    if (live->handler.on_compacted) live->handler.on_compacted(revision);
  };
  handler.on_lost = [this, weak = std::weak_ptr(watch)](const base::Error& error) {
    const auto live = weak.lock();
    if (!live || watches_.erase(live) == 0) return;
    if (live->handler.on_lost) live->handler.on_lost(error);
  };
  return handler;
}

base::RegistrationPtr GatedStore::watch(WatchRequest request, WatchHandler handler) {
  auto watch = std::make_shared<Watch>();
  watch->handler = std::move(handler);
  watches_.insert(watch);
  if (!is_shut()) watch->inner = inner_.watch(std::move(request), passing_on(watch));
  return std::make_unique<WatchRegistration>(*this, std::move(watch));
}

}  // namespace flotilla::store
