// GatedStore: wraps a store and can be shut: who is behind it then changes nothing in the store and
// hears nothing of it, but keeps its leases.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/store.h"
#include "store/watch_relay.h"

namespace flotilla::store {

class GatedStore final : public Store {
 public:
  // Requires: `inner` and `loop` outlive it.
  GatedStore(Store& inner, base::EventLoop& loop);
  GatedStore(const GatedStore&) = delete;
  GatedStore& operator=(const GatedStore&) = delete;

  // From now on watches are silent, and every call but keep_alive() is answered with kUnavailable
  // and `why`; of transactions those go through that `passes` says so of.
  void shut(std::string why, std::function<bool(const TxnRequest&)> passes);
  // Watches that live end with on_lost, so that what they have missed is read.
  void open();
  bool is_shut() const { return !why_.empty(); }
  const std::string& why() const { return why_; }  // empty: it is open

  void range(RangeRequest request, Callback<RangeResponse> done) override;
  void txn(TxnRequest request, Callback<TxnResponse> done) override;
  base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) override;
  void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) override;
  void keep_alive(LeaseId lease, Callback<LeaseGrant> done) override;
  void revoke_lease(LeaseId lease, Callback<Revision> done) override;
  void compact(Revision revision, Callback<Revision> done) override;

 private:
  template <typename T>
  bool refuse(Callback<T>& done);

  Store& inner_;
  base::EventLoop& loop_;
  std::string why_;
  std::function<bool(const TxnRequest&)> passes_;
  WatchRelay watches_;
  // What is posted holds it weakly: it does nothing once the store is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::store
