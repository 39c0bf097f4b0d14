// The leases of a LocalStore: deadlines in the loop's time, ends as queued writes.
#include <algorithm>
#include <utility>

#include "store/local_store.h"
#include "store/request_check.h"

namespace flotilla::store {

using base::not_found;
using base::Result;
using base::Status;
using base::unexpected;

namespace {

// When deleting the keys of an expired lease cannot be written (full disk), try again after this.
constexpr base::Micros kLeaseEndRetry{1'000'000};

}  // namespace

bool LocalStore::is_usable(LeaseId lease) const {
  const auto it = leases_.find(lease);
  return it != leases_.end() && !it->second.is_expired && !it->second.is_ending &&
         it->second.deadline > loop_.clock().monotonic();
}

void LocalStore::grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) {
  if (Status status = check_lease_ttl(ttl); !status) {
    return post_guarded(
        [done = std::move(done), status = std::move(status)] { done(unexpected(status.error())); });
  }
  enqueue([this, ttl, done = std::move(done)](Batch& batch) -> Answer {
    const LeaseId id = ++last_lease_;
    leases_[id] = Lease{ttl, loop_.clock().monotonic() + ttl};
    batch.granted.push_back({id, ttl});
    return [done, id, ttl, sent = loop_.clock().boottime()](const Status& written) {
      if (!written) return done(unexpected(written.error()));
      done(LeaseGrant{id, ttl, sent});
    };
  });
}

void LocalStore::keep_alive(LeaseId lease, Callback<LeaseGrant> done) {
  Result<LeaseGrant> answer = LeaseGrant{};
  if (is_usable(lease)) {
    Lease& kept = leases_[lease];
    // The timer is not moved here: when it fires too early it finds nothing due and arms itself.
    kept.deadline = loop_.clock().monotonic() + kept.ttl;
    answer = LeaseGrant{lease, kept.ttl, loop_.clock().boottime()};
  } else {
    answer = not_found("lease {} does not exist", lease);
  }
  post_guarded([done = std::move(done), answer = std::move(answer)] { done(answer); });
}

void LocalStore::revoke_lease(LeaseId lease, Callback<Revision> done) {
  enqueue([this, lease, done = std::move(done)](Batch& batch) -> Answer {
    if (!is_usable(lease)) {
      return [done, lease](const Status&) { done(not_found("lease {} does not exist", lease)); };
    }
    end_lease(lease, batch);
    return [this, done](const Status& written) {
      if (!written) return done(unexpected(written.error()));
      done(committed_);
    };
  });
}

void LocalStore::end_lease(LeaseId lease, Batch& batch) {
  leases_[lease].is_ending = true;
  keyspace_.delete_keys_of(lease, batch.changes);
  batch.ended.push_back(lease);
}

// The batch is durable or has been taken back: let leases begin and end accordingly.
void LocalStore::settle_leases(const Batch& outline, const Status& written) {
  const base::MonotonicTime now = loop_.clock().monotonic();
  for (const LeaseRecord& granted : outline.granted) {
    if (written) {
      leases_[granted.lease].deadline = now + granted.ttl;
    } else {
      leases_.erase(granted.lease);
    }
  }
  for (const LeaseId ended : outline.ended) {
    const auto it = leases_.find(ended);
    if (it == leases_.end()) continue;
    if (written) {
      leases_.erase(it);
      continue;
    }
    it->second.is_ending = false;
    if (it->second.is_expired) it->second.deadline = now + kLeaseEndRetry;
  }
  if (!outline.granted.empty() || !outline.ended.empty()) arm_lease_timer();
}

void LocalStore::arm_lease_timer() {
  base::MonotonicTime next = base::MonotonicTime::never();
  for (const auto& [id, lease] : leases_) {
    if (!lease.is_ending) next = std::min(next, lease.deadline);
  }
  lease_timer_.reset();
  if (!next.is_never()) lease_timer_ = loop_.at(next, [this] { on_lease_timer(); });
}

void LocalStore::on_lease_timer() {
  const base::MonotonicTime now = loop_.clock().monotonic();
  for (auto& [id, lease] : leases_) {
    if (lease.is_ending || lease.deadline > now) continue;
    lease.is_expired = true;
    lease.is_ending = true;  // from now on, so that it is queued once
    enqueue([this, ended = id](Batch& batch) -> Answer {
      if (leases_.contains(ended)) end_lease(ended, batch);
      return [](const Status&) {};
    });
  }
  arm_lease_timer();
}

}  // namespace flotilla::store
