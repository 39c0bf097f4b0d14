#include "store/metered_store.h"

#include <utility>

namespace flotilla::store {

MeteredStore::MeteredStore(std::unique_ptr<Store> inner, base::EventLoop& loop)
    : inner_(std::move(inner)), loop_(loop) {}

MeteredStore::~MeteredStore() = default;

template <typename T>
Store::Callback<T> MeteredStore::timed(StoreFigures::Kind StoreFigures::*kind, Callback<T> done) {
  ++((*figures_).*kind).count;
  return [figures = figures_, kind, &clock = loop_.clock(), begin = loop_.clock().monotonic(),
          done = std::move(done)](base::Result<T> result) {
    StoreFigures::Kind& figure = (*figures).*kind;
    figure.duration += clock.monotonic() - begin;
    if (!result) ++figure.failed;
    done(std::move(result));
  };
}

void MeteredStore::range(RangeRequest request, Callback<RangeResponse> done) {
  const auto kind = request.range_end.empty() ? &StoreFigures::get : &StoreFigures::get_all;
  inner_->range(std::move(request), timed(kind, std::move(done)));
}

void MeteredStore::txn(TxnRequest request, Callback<TxnResponse> done) {
  inner_->txn(std::move(request), timed(&StoreFigures::set, std::move(done)));
}

base::RegistrationPtr MeteredStore::watch(WatchRequest request, WatchHandler handler) {
  ++figures_->watches;
  return inner_->watch(std::move(request), std::move(handler));
}

void MeteredStore::grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) {
  ++figures_->keep_alives;
  inner_->grant_lease(ttl, std::move(done));
}

void MeteredStore::keep_alive(LeaseId lease, Callback<LeaseGrant> done) {
  ++figures_->keep_alives;
  inner_->keep_alive(lease, std::move(done));
}

void MeteredStore::revoke_lease(LeaseId lease, Callback<Revision> done) {
  ++figures_->keep_alives;
  inner_->revoke_lease(lease, std::move(done));
}

void MeteredStore::compact(Revision revision, Callback<Revision> done) {
  inner_->compact(revision, std::move(done));
}

}  // namespace flotilla::store
