#include "store/local_store.h"

#include <algorithm>
#include <utility>

#include "store/request_check.h"

namespace flotilla::store {

using base::invalid;
using base::not_found;
using base::Result;
using base::Status;
using base::unexpected;

namespace {

constexpr size_t kBytesOfAWaitingWrite = 512;  // besides its keys and values

}  // namespace

LocalStore::LocalStore(base::EventLoop& loop, LocalState state, std::unique_ptr<Journal> journal,
                       Retention retention)
    : loop_(loop),
      keyspace_(std::move(state.keyspace)),
      committed_(keyspace_.revision()),
      retention_(retention),
      last_lease_(state.last_lease),
      journal_(std::move(journal)),
      self_(std::make_shared<LocalStore*>(this)) {
  const base::MonotonicTime now = loop_.clock().monotonic();
  for (const LeaseRecord& lease : state.leases) {
    leases_[lease.lease] = Lease{lease.ttl, now + lease.ttl};
  }
  arm_lease_timer();
}

LocalStore::~LocalStore() {
  self_.reset();
  journal_.reset();  // ends its thread, which may still post; nothing of that is heard
}

void LocalStore::post_guarded(std::function<void()> action) {
  loop_.post([self = std::weak_ptr(self_), action = std::move(action)] {
    if (!self.expired()) action();
  });
}

template <typename T>
void LocalStore::post_answer(Callback<T> done, Result<T> answer) {
  post_guarded(
      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

void LocalStore::range(RangeRequest request, Callback<RangeResponse> done) {
  if (Status status = check_request(request); !status) {
    return post_answer<RangeResponse>(std::move(done), unexpected(std::move(status).error()));
  }
  post_guarded([this, request = std::move(request), done = std::move(done)] {
    done(keyspace_.range(request, committed_));
  });
}

void LocalStore::enqueue(Write write) {
  queue_.push_back(std::move(write));
  if (is_writing_ || is_flush_due_) return;
  is_flush_due_ = true;
  post_guarded([this] { flush(); });
}

void LocalStore::flush() {
  is_flush_due_ = false;
  queued_bytes_ = 0;
  Batch batch;
  std::vector<Answer> answers;
  for (const Write& write : std::exchange(queue_, {})) answers.push_back(write(batch));
  batch.revision = keyspace_.revision();
  batch.must_survive_power_loss =
      std::any_of(batch.changes.begin(), batch.changes.end(),
                  [](const Change& change) { return !change.is_leased_only; });
  if (journal_ != nullptr && !batch.is_empty()) {
    batch.removed.insert(batch.removed.end(), unremoved_.begin(), unremoved_.end());
    unremoved_.clear();
    batch.compact_revision =
        std::max(batch.compact_revision, std::exchange(unwritten_compaction_, 0));
    Batch outline;
    outline.revision = batch.revision;
    outline.granted = batch.granted;
    outline.ended = batch.ended;
    outline.removed = batch.removed;
    outline.compact_revision = batch.compact_revision;
    is_writing_ = true;
    // The answers stay with this thread: what they captured must not be freed on the journal's.
    in_flight_ = Flight{std::move(answers), std::move(outline)};
    journal_->write(std::move(batch), [this, self = std::weak_ptr(self_)](const Status& written) {
      if (self.expired()) return;
      const Flight flight = std::exchange(in_flight_, {});
      on_written(flight.answers, flight.outline, written);
    });
    return;
  }
  on_written(answers, batch, Status());
}

void LocalStore::on_written(const std::vector<Answer>& answers, const Batch& outline,
                            const Status& written) {
  is_writing_ = false;
  if (written) {
    committed_ = outline.revision;
  } else {
    keyspace_.truncate(committed_);
    unremoved_.insert(unremoved_.end(), outline.removed.begin(), outline.removed.end());
    unwritten_compaction_ = std::max(unwritten_compaction_, outline.compact_revision);
  }
  settle_leases(outline, written);
  schedule_dispatch();
  const std::weak_ptr alive(self_);
  for (const Answer& answer : answers) {
    answer(written);
    if (alive.expired()) return;
  }
  if (written) compact_by_retention();
  if (!queue_.empty() && !is_writing_ && !is_flush_due_) {
    is_flush_due_ = true;
    post_guarded([this] { flush(); });
  }
}

void LocalStore::txn(TxnRequest request, Callback<TxnResponse> done) {
  if (Status status = check_request(request); !status) {
    return post_answer<TxnResponse>(std::move(done), unexpected(std::move(status).error()));
  }
  const size_t bytes = bytes_of(request) + kBytesOfAWaitingWrite;
  if (queued_bytes_ + bytes > kMaxQueuedBytes) {
    return post_answer<TxnResponse>(
        std::move(done),
        base::unavailable("the disk is too slow: writes of {} bytes wait for it", queued_bytes_));
  }
  queued_bytes_ += bytes;
  enqueue([this, request = std::move(request), done = std::move(done)](Batch& batch) {
    return run_txn(request, done, batch);
  });
}

LocalStore::Answer LocalStore::run_txn(const TxnRequest& request, Callback<TxnResponse> done,
                                       Batch& batch) {
  const bool succeeded =
      std::all_of(request.compares.begin(), request.compares.end(),
                  [&](const Compare& compare) { return keyspace_.holds(compare); });
  const std::vector<Op>& ops = succeeded ? request.then_ops : request.else_ops;
  if (Status status = check_against_state(ops); !status) {
    return [done = std::move(done), status = std::move(status)](const Status&) {
      done(unexpected(status.error()));
    };
  }
  TxnResponse response;
  response.succeeded = succeeded;
  response.responses = keyspace_.apply(ops, batch.changes);
  response.revision = keyspace_.revision();
  auto shared = std::make_shared<TxnResponse>(std::move(response));
  return [done = std::move(done), shared](const Status& written) {
    if (!written) return done(unexpected(written.error()));
    done(std::move(*shared));
  };
}

Status LocalStore::check_against_state(const std::vector<Op>& ops) const {
  for (const Op& op : ops) {
    if (const auto* put = std::get_if<PutOp>(&op)) {
      if (put->lease != 0 && !is_usable(put->lease)) {
        return not_found("key \"{}\": lease {} does not exist", put->key, put->lease);
      }
    } else if (const auto* range = std::get_if<RangeRequest>(&op)) {
      if (range->revision > keyspace_.revision()) {
        return invalid("revision {} is of the future: the store is at {}", range->revision,
                       keyspace_.revision());
      }
      if (range->revision != 0 && range->revision < keyspace_.compact_revision()) {
        return not_found("revision {} has been compacted: the oldest readable one is {}",
                         range->revision, keyspace_.compact_revision());
      }
    }
  }
  return {};
}

void LocalStore::compact(Revision revision, Callback<Revision> done) {
  enqueue([this, revision, done = std::move(done)](Batch& batch) -> Answer {
    Status status = run_compact(revision, batch);
    return [this, done, status = std::move(status)](const Status&) {
      if (!status) return done(unexpected(status.error()));
      done(committed_);
    };
  });
}

// Compaction takes effect in memory at once, written or not: what the journal still holds of the
// superseded versions is removed with a later batch, and would do no harm if it stayed.
Status LocalStore::run_compact(Revision revision, Batch& batch) {
  if (revision > committed_) {
    return invalid("revision {} is of the future: the store is at {}", revision, committed_);
  }
  if (revision <= keyspace_.compact_revision()) {
    return not_found("revision {} has been compacted already, up to {}", revision,
                     keyspace_.compact_revision());
  }
  const std::vector<ChangeId> removed = keyspace_.compact(revision);
  batch.removed.insert(batch.removed.end(), removed.begin(), removed.end());
  batch.compact_revision = revision;
  return {};
}

void LocalStore::compact_by_retention() {
  if (is_compaction_due_) return;
  const Revision span = committed_ - keyspace_.compact_revision();
  Revision target = 0;
  if (retention_.revisions > 0 && span > retention_.revisions + retention_.revisions / 10) {
    target = committed_ - retention_.revisions;
  } else if (retention_.superseded_bytes > 0 &&
             keyspace_.superseded_bytes() > retention_.superseded_bytes) {
    target = committed_ - span / 2;
  }
  // Watches behind are fed in every turn of the loop, so waiting for them keeps no history for
  // long.
  target = std::min(target, oldest_watched() - 1);
  if (target <= keyspace_.compact_revision()) return;
  is_compaction_due_ = true;
  compact(target, [this](const Result<Revision>&) { is_compaction_due_ = false; });
}

}  // namespace flotilla::store
