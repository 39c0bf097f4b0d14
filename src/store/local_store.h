// A store inside this process: the keyspace in memory, leases by the loop's timers, watches
// replayed from history, and a journal that makes it durable. memory and sqlite are this class
// without and with a journal.
//
// A write waits in a queue for its turn. In one turn all queued writes are applied to the keyspace
// and handed to the journal as one batch; while it is being written, later ones queue up, and reads
// are answered at the last committed revision. When the batch is durable its revisions become
// visible, its callers are answered and the watches told. When it fails, the keyspace takes it back
// and its callers get the error.
//
// While a disk stalls the queue grows up to kMaxQueuedBytes; what comes then is answered with
// kUnavailable at once. What belongs to leases is small, and always queued.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "store/journal.h"
#include "store/keyspace.h"
#include "store/store.h"

namespace flotilla::store {

inline constexpr size_t kMaxQueuedBytes = size_t{64} << 20;

// How much history a store keeps by itself; 0: no limit.
struct Retention {
  int64_t revisions = 0;
  size_t superseded_bytes = 0;
};

// What a store starts from.
struct LocalState {
  Keyspace keyspace;
  std::vector<LeaseRecord> leases;  // start anew with their whole ttl
  LeaseId last_lease = 0;           // the next granted is one more
};

class LocalStore : public Store {
 public:
  // `journal` may be null: then a batch is committed at once and lost with the process.
  LocalStore(base::EventLoop& loop, LocalState state, std::unique_ptr<Journal> journal,
             Retention retention);
  ~LocalStore() override;
  LocalStore(const LocalStore&) = delete;
  LocalStore& operator=(const LocalStore&) = delete;

  void range(RangeRequest request, Callback<RangeResponse> done) override;
  void txn(TxnRequest request, Callback<TxnResponse> done) override;
  base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) override;
  void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) override;
  void keep_alive(LeaseId lease, Callback<LeaseGrant> done) override;
  void revoke_lease(LeaseId lease, Callback<Revision> done) override;
  void compact(Revision revision, Callback<Revision> done) override;

 private:
  // Answers one caller once it is known whether the batch is durable.
  using Answer = std::function<void(const base::Status& written)>;
  // Applies one queued write to the keyspace and the batch.
  using Write = std::function<Answer(Batch& batch)>;
  struct Lease {
    std::chrono::seconds ttl{0};
    base::MonotonicTime deadline;
    bool is_expired = false;  // never to be used again; its keys still have to be deleted
    bool is_ending = false;   // its end is queued or in the batch being written
  };
  // The batch that the journal is writing.
  struct Flight {
    std::vector<Answer> answers;
    Batch outline;  // without the changes
  };
  struct Watcher;
  class WatchRegistration;

  template <typename T>
  void post_answer(Callback<T> done, base::Result<T> answer);
  void post_guarded(std::function<void()> action);
  void enqueue(Write write);
  void flush();
  void on_written(const std::vector<Answer>& answers, const Batch& outline,
                  const base::Status& written);
  void settle_leases(const Batch& outline, const base::Status& written);

  Answer run_txn(const TxnRequest& request, Callback<TxnResponse> done, Batch& batch);
  base::Status check_against_state(const std::vector<Op>& ops) const;
  void end_lease(LeaseId lease, Batch& batch);
  bool is_usable(LeaseId lease) const;
  void arm_lease_timer();
  void on_lease_timer();
  base::Status run_compact(Revision revision, Batch& batch);
  void compact_by_retention();

  void schedule_dispatch();
  void dispatch();
  // The first revision that some live watch has still to be told.
  Revision oldest_watched() const;
  // Returns whether the watcher is behind still. The store may be gone after it.
  bool deliver(const std::shared_ptr<Watcher>& watcher);

  base::EventLoop& loop_;
  Keyspace keyspace_;
  Revision committed_ = 1;
  Retention retention_;
  LeaseId last_lease_ = 0;
  std::map<LeaseId, Lease> leases_;
  base::RegistrationPtr lease_timer_;
  std::vector<Write> queue_;
  size_t queued_bytes_ = 0;  // of the transactions in it
  bool is_writing_ = false;
  Flight in_flight_;
  bool is_flush_due_ = false;
  bool is_dispatch_due_ = false;
  bool is_compaction_due_ = false;
  std::vector<ChangeId> unremoved_;  // compacted in memory, not yet in the journal
  Revision unwritten_compaction_ = 0;
  std::map<uint64_t, std::shared_ptr<Watcher>> watchers_;
  uint64_t next_watcher_ = 1;
  std::unique_ptr<Journal> journal_;
  // Posted actions and registrations hold it weakly: they do nothing once the store is gone.
  std::shared_ptr<LocalStore*> self_;
};

}  // namespace flotilla::store
