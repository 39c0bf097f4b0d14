// The keep-alives of an EtcdStore: all go over one stream, which is opened when first needed and
// anew whenever it breaks; what was not answered is sent again, until its time is up. Loop thread
// only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "store/etcd_client.h"

namespace flotilla::store {

class EtcdLeases {
 public:
  explicit EtcdLeases(EtcdClient& client);
  ~EtcdLeases();
  EtcdLeases(const EtcdLeases&) = delete;
  EtcdLeases& operator=(const EtcdLeases&) = delete;

  void keep_alive(LeaseId lease, Store::Callback<LeaseGrant> done);
  void on_route();
  // A lease that this process has been given, or keeps alive.
  void note(LeaseId lease) { known_.insert(lease); }
  // Of the keys of such a lease some may be missing now: it is treated as one that has ended.
  void on_new_history();

 private:
  struct Waiting {
    Store::Callback<LeaseGrant> done{};
    base::MonotonicTime deadline{};
    base::BoottimeTime sent{};
  };

  void connect();
  void send(LeaseId lease, Waiting& waiting);
  void on_message(const pb::LeaseKeepAliveResponse& response);
  void on_end(const RpcStatus& status);
  void reconnect_later();
  void arm_expiry();
  void expire();

  EtcdClient& client_;
  // Of one lease in the order asked for, which is the order of the answers.
  std::map<LeaseId, std::deque<Waiting>> waiting_;
  std::set<LeaseId> known_;
  std::set<LeaseId> of_former_history_;
  std::unique_ptr<KeepAliveStream> stream_;
  EtcdClient::Way way_;
  EtcdBackoff backoff_;
  base::RegistrationPtr reconnect_timer_;
  base::RegistrationPtr expiry_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::store
