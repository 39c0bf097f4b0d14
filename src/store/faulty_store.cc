#include "store/faulty_store.h"

#include <utility>

namespace flotilla::store {

using base::Result;
using base::timed_out;
using base::unavailable;

FaultyStore::FaultyStore(Store& inner, base::EventLoop& loop)
    : inner_(inner), loop_(loop), watches_(inner, loop) {}

void FaultyStore::later(base::Micros delay, std::function<void()> action) {
  if (delay.count() == 0) {
    return loop_.post([alive = std::weak_ptr(alive_), action = std::move(action)] {
      if (!alive.expired()) action();
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
  return [this, alive = std::weak_ptr(alive_), done = std::move(done)](Result<T> answer) {
    if (alive.expired()) return;
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
  return watches_.add(std::move(request), std::move(handler), is_partitioned_);
}

void FaultyStore::drop_watches() {
  watches_.end_all([](const WatchHandler& handler) {
    if (!handler.on_lost) return;
    handler.on_lost(base::Error{base::Errc::kUnavailable, "the connection to the store was lost"});
  });
}

void FaultyStore::tell_of_new_history() {
  watches_.end_all([](const WatchHandler& handler) {
    if (handler.on_compacted) handler.on_compacted(0);
  });
}

void FaultyStore::partition() {
  is_partitioned_ = true;
  watches_.silence();
}

void FaultyStore::heal() {
  is_partitioned_ = false;
  drop_watches();
}

}  // namespace flotilla::store
