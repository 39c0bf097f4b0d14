// MeteredStore: wraps a store and counts what is asked of it, and how long the answers take. For
// metrics, and for tests of what a steady state costs.
#pragma once

#include <array>
#include <memory>

#include "store/store.h"

namespace flotilla::store {

// By kind, as fleet's metrics have it.
struct StoreFigures {
  struct Kind {
    uint64_t count = 0;
    uint64_t failed = 0;
    base::Micros duration{0};  // of all together
  };
  Kind get;      // one key
  Kind get_all;  // a range of keys
  Kind set;      // a transaction
  uint64_t watches = 0;
  uint64_t keep_alives = 0;  // and the other calls about leases
};

class MeteredStore final : public Store {
 public:
  // Requires: `loop` outlives it.
  MeteredStore(std::unique_ptr<Store> inner, base::EventLoop& loop);
  ~MeteredStore() override;

  const StoreFigures& figures() const { return *figures_; }

  void range(RangeRequest request, Callback<RangeResponse> done) override;
  void txn(TxnRequest request, Callback<TxnResponse> done) override;
  base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) override;
  void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) override;
  void keep_alive(LeaseId lease, Callback<LeaseGrant> done) override;
  void revoke_lease(LeaseId lease, Callback<Revision> done) override;
  void compact(Revision revision, Callback<Revision> done) override;

 private:
  template <typename T>
  Callback<T> timed(StoreFigures::Kind StoreFigures::*kind, Callback<T> done);

  std::unique_ptr<Store> inner_;
  base::EventLoop& loop_;
  std::shared_ptr<StoreFigures> figures_ = std::make_shared<StoreFigures>();
};

}  // namespace flotilla::store
