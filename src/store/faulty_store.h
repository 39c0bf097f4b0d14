// For tests: wraps a store and lets one kind of fault at a time happen between it and its user, as
// a network would: slow answers, lost answers, refused calls, watches that drop.
#pragma once

#include <memory>
#include <set>

#include "store/store.h"
#include "store/watch_relay.h"

namespace flotilla::store {

class FaultyStore final : public Store {
 public:
  // Requires: `inner` and `loop` outlive it; `inner` is of the same loop.
  FaultyStore(Store& inner, base::EventLoop& loop);
  FaultyStore(const FaultyStore&) = delete;
  FaultyStore& operator=(const FaultyStore&) = delete;

  // Every answer comes this much later. Watches are not delayed.
  void delay_answers(base::Micros by) { delay_ = by; }
  // The next `count` calls are done, but answered with kTimedOut.
  void lose_answers(int count) { to_lose_ = count; }
  // The next `count` calls are not done and are answered with kUnavailable.
  void refuse_calls(int count) { to_refuse_ = count; }
  // Until healed: every call is refused, watches hear nothing. Healing ends the live watches with
  // on_lost, as a client finds out late that its connection was gone.
  void partition();
  void heal();
  // Every live watch ends with on_lost(kUnavailable) in a later turn of the loop.
  void drop_watches();
  // Every live watch is told in a later turn that the store has been put back to an earlier state.
  void tell_of_new_history();

  size_t calls() const { return calls_; }
  size_t live_watches() const { return watches_.size(); }

  void range(RangeRequest request, Callback<RangeResponse> done) override;
  void txn(TxnRequest request, Callback<TxnResponse> done) override;
  base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) override;
  void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) override;
  void keep_alive(LeaseId lease, Callback<LeaseGrant> done) override;
  void revoke_lease(LeaseId lease, Callback<Revision> done) override;
  void compact(Revision revision, Callback<Revision> done) override;

 private:
  template <typename T>
  void pass_on(Callback<T> done, std::function<void(Callback<T>)> call);
  template <typename T>
  Callback<T> delayed(Callback<T> done);
  void later(base::Micros delay, std::function<void()> action);

  Store& inner_;
  base::EventLoop& loop_;
  base::Micros delay_{0};
  int to_lose_ = 0;
  int to_refuse_ = 0;
  bool is_partitioned_ = false;
  size_t calls_ = 0;
  WatchRelay watches_;
  std::set<std::shared_ptr<base::RegistrationPtr>> timers_;
  // What is posted holds it weakly: it does nothing once the store is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::store
