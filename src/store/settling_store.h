// For tests against members that are killed: a store that answers a transaction whose outcome is
// not known by looking for it in the history, and does it again where it is not there. Right only
// where all that write do so through it.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "store/store.h"

namespace flotilla::store {

class SettlingStore final : public Store {
 public:
  explicit SettlingStore(std::unique_ptr<Store> inner) : inner_(std::move(inner)) {}

  void range(RangeRequest request, Callback<RangeResponse> done) override;
  void txn(TxnRequest request, Callback<TxnResponse> done) override;
  base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) override;
  void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) override;
  void keep_alive(LeaseId lease, Callback<LeaseGrant> done) override;
  void revoke_lease(LeaseId lease, Callback<Revision> done) override;
  void compact(Revision revision, Callback<Revision> done) override;

  int settled() const { return settled_; }

 private:
  // A transaction whose answer was lost.
  struct Open {
    TxnRequest request;
    Callback<TxnResponse> done;
    Revision before = 0;  // it was done after this revision, if at all
    Revision until = 0;   // and not after this one
    std::map<Revision, std::vector<Event>> history;
    base::RegistrationPtr watch;
  };
  using OpenPtr = std::shared_ptr<Open>;

  void settle(const OpenPtr& open);
  void read_history(const OpenPtr& open);
  void decide(const OpenPtr& open);
  void complete(const OpenPtr& open, const std::shared_ptr<TxnResponse>& response);
  void answer(const Callback<TxnResponse>& done, TxnResponse response);

  Revision known_ = 0;           // the highest that an answer has told
  std::set<Revision> answered_;  // made by transactions that were answered
  int settled_ = 0;
  std::unique_ptr<Store> inner_;  // destroyed first: callbacks use the rest
};

}  // namespace flotilla::store
