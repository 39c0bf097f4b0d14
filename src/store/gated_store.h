// GatedStore: wraps a store and can be shut: who is behind it then changes nothing in the store and
// hears nothing of it, but keeps its leases.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "store/store.h"

namespace flotilla::store {

class GatedStore final : public Store {
 public:
  // Requires: `inner` and `loop` outlive it.
  GatedStore(Store& inner, base::EventLoop& loop);
  ~GatedStore() override;
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
  struct Watch {
    WatchHandler handler{};
    base::RegistrationPtr inner{};  // none: it is silent
  };
  class WatchRegistration;

  template <typename T>
  bool refuse(Callback<T>& done);
  WatchHandler passing_on(const std::shared_ptr<Watch>& watch);

  Store& inner_;
  base::EventLoop& loop_;
  std::string why_;
  std::function<bool(const TxnRequest&)> passes_;
  std::set<std::shared_ptr<Watch>> watches_;
  // What is posted, and registrations, hold it weakly: they do nothing once the store is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::store
