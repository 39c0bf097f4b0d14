#include "store/faulty_store.h"

#include <utility>

namespace flotilla::store {

using base::Result;
using base::timed_out;
using base::unavailable;

struct FaultyStore::Watch {
  WatchHandler handler;
  base::RegistrationPtr inner;
  bool is_over = false;
};

class FaultyStore::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(std::weak_ptr<FaultyStore*> store, std::shared_ptr<Watch> watch)
      : store_(std::move(store)), watch_(std::move(watch)) {}
  ~WatchRegistration() override {
    watch_->is_over = true;
    watch_->inner.reset();
    if (const auto store = store_.lock()) (*store)->watches_.erase(watch_);
  }
  WatchRegistration(const WatchRegistration&) = delete;
  WatchRegistration& operator=(const WatchRegistration&) = delete;

 private:
  std::weak_ptr<FaultyStore*> store_;
  std::shared_ptr<Watch> watch_;
};

FaultyStore::FaultyStore(Store& inner, base::EventLoop& loop)
    : inner_(inner), loop_(loop), self_(std::make_shared<FaultyStore*>(this)) {}

FaultyStore::~FaultyStore() {
  for (const auto& watch : watches_) watch->inner.reset();
}

void FaultyStore::later(base::Micros delay, std::function<void()> action) {
  if (delay.count() == 0) {
    return loop_.post([self = std::weak_ptr(self_), action = std::move(action)] {
      if (!self.expired()) action();
    });
  }
  auto timer = std::make_shared<base::RegistrationPtr>();
  timers_.insert(timer);
  *timer = loop_.after(delay, [this, timer = std::weak_ptr(timer), action = std::move(action)] {
    const std::function<void()> last = action;  // this closure goes with its timer
    timers_.erase(timer.lock());
    last();
  });
}

template <typename T>
Store::Callback<T> FaultyStore::delayed(Callback<T> done) {
  return [this, self = std::weak_ptr(self_), done = std::move(done)](Result<T> answer) {
    if (self.expired()) return;
    if (delay_.count() == 0) return done(std::move(answer));
    later(delay_, [done, answer = std::move(answer)] { done(answer); });
  };
}

template <typename T>
void FaultyStore::pass_on(Callback<T> done, std::function<void(Callback<T>)> call) {
  ++calls_;
  if (is_partitioned_ || to_refuse_ > 0) {
    if (!is_partitioned_) --to_refuse_;
    return later(delay_,
                 [done = std::move(done)] { done(unavailable("the store cannot be reached")); });
  }
  done = delayed<T>(std::move(done));
  if (to_lose_ > 0) {
    --to_lose_;
    done = [lost = std::move(done)](const Result<T>&) {
      lost(timed_out("the store did not answer in time"));
    };
  }
  call(std::move(done));
}

void FaultyStore::range(RangeRequest request, Callback<RangeResponse> done) {
  pass_on<RangeResponse>(std::move(done),
                         [&](auto answer) { inner_.range(std::move(request), std::move(answer)); });
}

void FaultyStore::txn(TxnRequest request, Callback<TxnResponse> done) {
  pass_on<TxnResponse>(std::move(done),
                       [&](auto answer) { inner_.txn(std::move(request), std::move(answer)); });
}

void FaultyStore::grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) {
  pass_on<LeaseGrant>(std::move(done),
                      [&](auto answer) { inner_.grant_lease(ttl, std::move(answer)); });
}

void FaultyStore::keep_alive(LeaseId lease, Callback<LeaseGrant> done) {
  pass_on<LeaseGrant>(std::move(done),
                      [&](auto answer) { inner_.keep_alive(lease, std::move(answer)); });
}

void FaultyStore::revoke_lease(LeaseId lease, Callback<Revision> done) {
  pass_on<Revision>(std::move(done),
                    [&](auto answer) { inner_.revoke_lease(lease, std::move(answer)); });
}

void FaultyStore::compact(Revision revision, Callback<Revision> done) {
  pass_on<Revision>(std::move(done),
                    [&](auto answer) { inner_.compact(revision, std::move(answer)); });
}

base::RegistrationPtr FaultyStore::watch(WatchRequest request, WatchHandler handler) {
  auto watch = std::make_shared<Watch>();
  watch->handler = std::move(handler);
  watches_.insert(watch);
  // Each call keeps the watch alive: its handler may end it.
  WatchHandler inner;
  inner.on_events = [weak = std::weak_ptr(watch)](const WatchBatch& batch) {
    const auto live = weak.lock();
    if (live && !live->is_over && live->handler.on_events) live->handler.on_events(batch);
  };
  inner.on_compacted = [this, weak = std::weak_ptr(watch)](Revision revision) {
    const auto live = weak.lock();
    if (!live || live->is_over) return;
    live->is_over = true;
    watches_.erase(live);
    if (live->handler.on_compacted) live->handler.on_compacted(revision);
  };
  inner.on_lost = [this, weak = std::weak_ptr(watch)](const base::Error& error) {
    const auto live = weak.lock();
    if (!live || live->is_over) return;
    live->is_over = true;
    watches_.erase(live);
    if (live->handler.on_lost) live->handler.on_lost(error);
  };
  if (!is_partitioned_) watch->inner = inner_.watch(std::move(request), std::move(inner));
  return std::make_unique<WatchRegistration>(self_, std::move(watch));
}

void FaultyStore::drop_watches() {
  for (const auto& watch : std::exchange(watches_, {})) {
    watch->inner.reset();
    later(base::Micros(0), [watch] {
      if (std::exchange(watch->is_over, true) || !watch->handler.on_lost) return;
      watch->handler.on_lost(
          base::Error{base::Errc::kUnavailable, "the connection to the store was lost"});
    });
  }
}

void FaultyStore::tell_of_new_history() {
  for (const auto& watch : std::exchange(watches_, {})) {
    watch->inner.reset();
    later(base::Micros(0), [watch] {
      if (std::exchange(watch->is_over, true) || !watch->handler.on_compacted) return;
      watch->handler.on_compacted(0);
    });
  }
}

void FaultyStore::partition() {
  is_partitioned_ = true;
  for (const auto& watch : watches_) watch->inner.reset();
}

void FaultyStore::heal() {
  is_partitioned_ = false;
  drop_watches();
}

}  // namespace flotilla::store
