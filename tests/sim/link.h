// Link: a daemon's way to the cluster's store over a network that delays, loses and cuts. A request
// takes its time to the store and its answer the same back; whoever waits longer than the limit
// gets kTimedOut while the request may still be on its way, even after its sender has died.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/fake_event_loop.h"
#include "sim/random.h"
#include "store/store.h"

namespace flotilla::sim {

// The network between one machine and the store. Outlives the machine's daemons.
struct Network {
  base::Micros longest_delay{2'000};
  uint64_t lose_answer_one_in = 0;  // 0: never
  bool is_cut = false;              // nothing gets through in either direction
};

// Sees every transaction when it reaches the store: the invariants' eye, and the place where
// faults of guards are brought in.
class Tap {
 public:
  virtual ~Tap() = default;
  // May change the request, or answer it in the store's place.
  virtual std::optional<base::Result<store::TxnResponse>> before(const std::string& machine,
                                                                 store::TxnRequest& request) = 0;
  virtual void after(const std::string& machine, const store::TxnRequest& request,
                     const store::TxnResponse& response) = 0;
};

// Timers that nobody owns: what is under way in the network.
class Wire {
 public:
  explicit Wire(base::FakeEventLoop& world) : world_(world) {}
  void after(base::Micros delay, std::function<void()> action);

 private:
  base::FakeEventLoop& world_;
  std::set<std::shared_ptr<base::RegistrationPtr>> timers_;
};

class Link final : public store::Store {
 public:
  struct Parts {
    store::Store& store;
    Wire& wire;
    Random& random;
    Network& network;
    Tap& tap;
  };
  // Requires: parts outlive it; `local` is the daemon's loop.
  Link(Parts parts, base::EventLoop& local, std::string machine);
  ~Link() override;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // The connection breaks; the watches find out after `notice`.
  void break_watches(base::Micros notice);
  size_t calls() const { return calls_; }

  void range(store::RangeRequest request, Callback<store::RangeResponse> done) override;
  void txn(store::TxnRequest request, Callback<store::TxnResponse> done) override;
  base::RegistrationPtr watch(store::WatchRequest request, store::WatchHandler handler) override;
  void grant_lease(std::chrono::seconds ttl, Callback<store::LeaseGrant> done) override;
  void keep_alive(store::LeaseId lease, Callback<store::LeaseGrant> done) override;
  void revoke_lease(store::LeaseId lease, Callback<store::Revision> done) override;
  void compact(store::Revision revision, Callback<store::Revision> done) override;

 private:
  struct Core;
  struct Watch;
  class WatchRegistration;

  template <typename T>
  void send(Callback<T> done, std::function<void(Callback<T>)> at_store);
  base::Micros delay();
  void connect(const std::shared_ptr<Watch>& watch, store::WatchRequest request);

  Parts parts_;
  base::EventLoop& local_;
  const std::string machine_;
  size_t calls_ = 0;
  std::shared_ptr<Core> core_;
};

}  // namespace flotilla::sim
