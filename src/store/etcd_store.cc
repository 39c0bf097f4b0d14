#include "store/etcd_store.h"

#include <proto/etcd.pb.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "store/etcd_client.h"
#include "store/etcd_leases.h"
#include "store/etcd_range.h"
#include "store/etcd_watch.h"
#include "store/etcd_wire.h"
#include "store/request_check.h"

namespace flotilla::store {

using base::Errc;
using base::Result;
using base::Status;
using base::unexpected;

namespace {

bool is_read_only(const std::vector<Op>& ops) {
  return std::all_of(ops.begin(), ops.end(),
                     [](const Op& op) { return std::holds_alternative<RangeRequest>(op); });
}

// The put of a transaction that is nothing else, or null.
const PutOp* find_sole_put(const TxnRequest& request) {
  const bool is_sole = request.compares.empty() && request.then_ops.size() == 1;
  return is_sole ? std::get_if<PutOp>(&request.then_ops.front()) : nullptr;
}

// etcd does not say which lease is missing.
base::Error missing_lease(const TxnRequest& request) {
  std::map<LeaseId, std::string> leases;
  for (const auto* ops : {&request.then_ops, &request.else_ops}) {
    for (const Op& op : *ops) {
      const auto* put = std::get_if<PutOp>(&op);
      if (put != nullptr && put->lease != 0) leases.emplace(put->lease, put->key);
    }
  }
  if (leases.size() == 1) {
    const auto& [lease, key] = *leases.begin();
    return {Errc::kNotFound, fmt::format("key \"{}\": lease {} does not exist", key, lease)};
  }
  std::string ids;
  for (const auto& [lease, key] : leases)
    ids += fmt::format("{}{}", ids.empty() ? "" : ", ", lease);
  return {Errc::kNotFound, fmt::format("one of the leases {} does not exist", ids)};
}

base::Error error_of_txn(const TxnRequest& request, base::Error error) {
  const bool is_lease =
      error.code == Errc::kNotFound && error.message.find("lease") != std::string::npos;
  return is_lease ? missing_lease(request) : std::move(error);
}

bool is_empty_range(const WatchRequest& request) {
  return !request.range_end.empty() && request.range_end != kToLastKey &&
         request.range_end <= request.key;
}

class EtcdStore final : public Store {
 public:
  EtcdStore(EtcdOptions options, base::EventLoop& loop)
      : loop_(loop), client_(loop, std::move(options)), leases_(client_) {
    client_.on_route([this] { on_route(); });
    client_.on_new_history([this](Revision present) { on_new_history(present); });
  }
  ~EtcdStore() override {
    alive_.reset();
    for (const auto& watch : watches_) watch->end();
  }
  EtcdStore(const EtcdStore&) = delete;
  EtcdStore& operator=(const EtcdStore&) = delete;

  void range(RangeRequest request, Callback<RangeResponse> done) override {
    if (Status status = check_request(request); !status) return refuse(done, status);
    read_range(client_, std::move(request), std::move(done));
  }

  void txn(TxnRequest request, Callback<TxnResponse> done) override {
    if (Status status = check_request(request); !status) return refuse(done, status);
    if (const PutOp* put = find_sole_put(request)) {
      pb::PutRequest wire = to_wire(*put);
      return put_alone(std::move(wire), std::move(request), std::move(done));
    }
    const Repeat repeat = is_read_only(request.then_ops) && is_read_only(request.else_ops)
                              ? Repeat::kFreely
                              : Repeat::kIfNotDone;
    pb::TxnRequest wire = to_wire(request);
    const size_t bytes = bytes_of(request);
    client_.call<pb::TxnResponse, pb::TxnRequest>(
        std::move(wire), bytes, repeat,
        [request = std::move(request), done = std::move(done)](Result<pb::TxnResponse> response,
                                                               int) {
          if (response) return done(from_wire(*response, request));
          done(unexpected(error_of_txn(request, std::move(response).error())));
        });
  }

  base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) override;

  void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) override {
    if (Status status = check_lease_ttl(ttl); !status) return refuse(done, status);
    pb::LeaseGrantRequest request;
    request.set_ttl(ttl.count());
    // One that was granted to an answer that was lost ends by itself. Its time began no earlier
    // than this call.
    client_.call<pb::LeaseGrantResponse, pb::LeaseGrantRequest>(
        std::move(request), 0, Repeat::kFreely,
        [this, done = std::move(done), sent = loop_.clock().boottime()](
            Result<pb::LeaseGrantResponse> response, int) {
          if (!response) return done(unexpected(response.error()));
          leases_.note(response->id());
          done(LeaseGrant{response->id(), std::chrono::seconds(response->ttl()), sent});
        });
  }

  void keep_alive(LeaseId lease, Callback<LeaseGrant> done) override {
    if (lease <= 0) return refuse(done, base::not_found("lease {} does not exist", lease));
    leases_.keep_alive(lease, std::move(done));
  }

  void revoke_lease(LeaseId lease, Callback<Revision> done) override {
    if (lease <= 0) return refuse(done, base::not_found("lease {} does not exist", lease));
    pb::LeaseRevokeRequest request;
    request.set_id(lease);
    client_.call<pb::LeaseRevokeResponse, pb::LeaseRevokeRequest>(
        std::move(request), 0, Repeat::kFreely,
        [this, lease, done = std::move(done)](Result<pb::LeaseRevokeResponse> response,
                                              int attempts) {
          if (response) return done(response->header().revision());
          if (response.error().code != Errc::kNotFound) {
            return done(unexpected(response.error()));
          }
          // Revoked by an earlier attempt whose answer was lost; or ended, which is the same to the
          // keys.
          if (attempts > 1) return answer_present(done);
          done(base::not_found("lease {} does not exist", lease));
        });
  }

  void compact(Revision revision, Callback<Revision> done) override {
    if (revision <= 0) {
      return refuse(done, base::not_found("revision {} has been compacted already", revision));
    }
    pb::CompactionRequest request;
    request.set_revision(revision);
    client_.call<pb::CompactionResponse, pb::CompactionRequest>(
        std::move(request), 0, Repeat::kFreely,
        [this, revision, done = std::move(done)](Result<pb::CompactionResponse> response,
                                                 int attempts) {
          if (response) return done(response->header().revision());
          if (response.error().code != Errc::kNotFound) {
            return done(unexpected(response.error()));
          }
          if (attempts > 1) return answer_present(done);
          done(base::not_found("revision {} has been compacted already", revision));
        });
  }

 private:
  class WatchRegistration;

  // For a transaction etcd 3.4 copies all that it has not written to its file yet, though there be
  // nothing to compare; a put as such is spared that.
  void put_alone(pb::PutRequest wire, TxnRequest request, Callback<TxnResponse> done) {
    const size_t bytes = bytes_of(request);
    client_.call<pb::PutResponse, pb::PutRequest>(
        std::move(wire), bytes, Repeat::kIfNotDone,
        [request = std::move(request), done = std::move(done)](Result<pb::PutResponse> response,
                                                               int) {
          if (!response) {
            return done(unexpected(error_of_txn(request, std::move(response).error())));
          }
          TxnResponse to;
          to.succeeded = true;
          to.revision = response->header().revision();
          to.responses.emplace_back(PutResponse{});
          done(std::move(to));
        });
  }

  template <typename T>
  void refuse(Callback<T>& done, Status status) {
    loop_.post([alive = std::weak_ptr(alive_), done = std::move(done), status = std::move(status)] {
      if (!alive.expired()) done(unexpected(status.error()));
    });
  }

  void answer_present(const Callback<Revision>& done) {
    read_range(client_, RangeRequest{std::string(kToLastKey), "", 1, 0, true},
               [done](Result<RangeResponse> response) {
                 if (!response) return done(unexpected(response.error()));
                 done(response->revision);
               });
  }

  void on_route() {
    leases_.on_route();
    // A watch may be over by this, and be gone from the set.
    const std::vector<std::shared_ptr<EtcdWatch>> watches(watches_.begin(), watches_.end());
    for (const auto& watch : watches) watch->on_route();
  }

  void on_new_history(Revision present) {
    leases_.on_new_history();
    const std::vector<std::shared_ptr<EtcdWatch>> watches(watches_.begin(), watches_.end());
    for (const auto& watch : watches) watch->on_new_history(present);
  }

  base::EventLoop& loop_;
  EtcdClient client_;
  EtcdLeases leases_;
  std::set<std::shared_ptr<EtcdWatch>> watches_;
  // Posted actions and registrations hold it weakly: they do nothing once the store is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class EtcdStore::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(EtcdStore& store, std::shared_ptr<EtcdWatch> watch)
      : store_(store), alive_(store.alive_), watch_(std::move(watch)) {}
  ~WatchRegistration() override {
    watch_->end();
    if (!alive_.expired()) store_.watches_.erase(watch_);
  }
  WatchRegistration(const WatchRegistration&) = delete;
  WatchRegistration& operator=(const WatchRegistration&) = delete;

 private:
  EtcdStore& store_;
  std::weak_ptr<bool> alive_;
  std::shared_ptr<EtcdWatch> watch_;
};

base::RegistrationPtr EtcdStore::watch(WatchRequest request, WatchHandler handler) {
  Status status = check_request(request);
  const bool is_silent = status && is_empty_range(request);
  const auto slot = std::make_shared<std::weak_ptr<EtcdWatch>>();
  auto watch =
      std::make_shared<EtcdWatch>(client_, std::move(request), std::move(handler), [this, slot] {
        if (const auto over = slot->lock()) watches_.erase(over);
      });
  *slot = watch;
  if (!status) {
    loop_.post([alive = std::weak_ptr(alive_), watch, status = std::move(status)] {
      if (!alive.expired()) watch->lose(status.error());
    });
  } else if (!is_silent) {
    watches_.insert(watch);
    watch->begin();
  }
  return std::make_unique<WatchRegistration>(*this, std::move(watch));
}

}  // namespace

std::unique_ptr<Store> make_etcd_store(EtcdOptions options, base::EventLoop& loop) {
  return std::make_unique<EtcdStore>(std::move(options), loop);
}

}  // namespace flotilla::store
