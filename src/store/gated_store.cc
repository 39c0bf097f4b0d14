#include "store/gated_store.h"

#include <utility>

namespace flotilla::store {

GatedStore::GatedStore(Store& inner, base::EventLoop& loop)
    : inner_(inner), loop_(loop), watches_(inner, loop) {}

void GatedStore::shut(std::string why, std::function<bool(const TxnRequest&)> passes) {
  why_ = std::move(why);
  passes_ = std::move(passes);
  watches_.silence();
}

void GatedStore::open() {
  watches_.end_silent([why = std::exchange(why_, {})](const WatchHandler& handler) {
    if (handler.on_lost) handler.on_lost(base::Error{base::Errc::kUnavailable, why});
  });
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

base::RegistrationPtr GatedStore::watch(WatchRequest request, WatchHandler handler) {
  return watches_.add(std::move(request), std::move(handler), is_shut());
}

}  // namespace flotilla::store
