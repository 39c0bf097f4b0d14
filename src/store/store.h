// The store: an ordered key-value map with revisions, transactions, watches and leases, shaped like
// etcd v3. Everything the cluster shares lives in one; registry/ is the only folder that knows the
// keys. Implementations: memory_store.h, sqlite_store.h, etcd_store.h; all pass
// store_conformance.h.
//
// Threads: a store belongs to one base::EventLoop. Every member is called on the loop thread and
// never blocks; every callback is called on the loop thread, exactly once, and never from inside
// the call that took it. Destroying the store drops the callbacks that are still due, uncalled; a
// callback may destroy the store.
//
// Order: calls that are outstanding together are concurrent: they may take effect and be answered
// in any order. A call made after another's callback sees its effect. Revisions order all writes.
//
// Errors, the same for all members:
//   kInvalid      malformed request (empty key, one key put twice, a revision of the future): a bug
//   kTooLarge     over a limit below
//   kNotFound     the lease does not exist (any more), or the revision has been compacted
//   kUnavailable  the store cannot be reached; nothing was done; trying again can help
//   kTimedOut     no answer in time; whether a write was done is unknown: read before repeating
//   kInternal     a write failed (disk full, I/O error); nothing was done; the store goes on
//   kDenied       the store does not know or does not trust this user; nothing was done
// A failed condition of a transaction is no error: see TxnResponse::succeeded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"

namespace flotilla::store {

// Counts the changes of the whole store: each transaction that changes something makes the next
// one. Never goes back, not over restarts; may skip numbers. 0 means "none" or "now". An empty
// store is at revision 1.
using Revision = int64_t;

// Names a lease. Never given twice by one store. 0 means "no lease".
using LeaseId = int64_t;

inline constexpr size_t kMaxTxnOps = 128;  // compares, then_ops, else_ops: each
inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr size_t kMaxValueBytes = size_t{1024} * 1024;
inline constexpr size_t kMaxRequestBytes =
    size_t{1536} * 1024;  // all keys and values of one request
inline constexpr size_t kAdvisedRequestBytes = size_t{1024} * 1024;  // where a writer should cut
inline constexpr size_t kMaxWatchBatchEvents = 1024;
inline constexpr std::chrono::seconds kMinLeaseTtl{1};
inline constexpr std::chrono::seconds kMaxLeaseTtl{365L * 24 * 3600};

struct KeyValue {
  std::string key{};
  std::string value{};
  Revision create_revision = 0;  // when the key last came to be
  Revision mod_revision = 0;     // when it last changed
  int64_t version = 0;           // 1 at creation, one more at each put; 0: deleted
  LeaseId lease = 0;             // deleted together with this lease

  friend bool operator==(const KeyValue&, const KeyValue&) = default;
};

// Keys: a single `key` where `range_end` is empty, else all keys in [key, range_end). A range_end
// of one NUL byte means "to the last key". A range whose end is not after its key holds nothing.
inline constexpr std::string_view kToLastKey{"\0", 1};

// Returns the range_end that makes a range of all keys that start with `prefix`. An empty prefix is
// no key: for all keys use key = range_end = kToLastKey.
std::string prefix_end(std::string_view prefix);

struct RangeRequest {
  std::string key{};
  std::string range_end{};
  int64_t limit = 0;      // at most so many keys; 0: all
  Revision revision = 0;  // as it was at that revision; 0: now
  bool keys_only = false;
};

struct RangeResponse {
  Revision revision = 0;        // of the store when it answered; for the next page, pass this one
  std::vector<KeyValue> kvs{};  // ascending by the bytes of the key
  bool more = false;            // the limit cut it: go on at the last key + "\0"
  int64_t count = 0;            // keys in the range, whatever the limit
};

enum class CompareTarget { kLease, kVersion, kMod, kCreate, kValue };
enum class CompareOp { kEqual, kNotEqual, kLess, kGreater };

// One condition. A key that does not exist has lease, version, mod and create 0; a compare of its
// value is always false, kNotEqual included.
struct Compare {
  CompareTarget target = CompareTarget::kVersion;
  CompareOp op = CompareOp::kEqual;
  std::string key{};
  std::variant<int64_t, std::string> operand{};  // a string for kValue, else a number
};

Compare key_is_absent(std::string key);
Compare key_exists(std::string key);
Compare mod_is(std::string key, Revision revision);
Compare create_is(std::string key, Revision revision);

struct PutOp {
  std::string key{};
  std::string value{};
  LeaseId lease = 0;  // the key leaves the lease it had, if any
};

struct DeleteRangeOp {
  std::string key{};
  std::string range_end{};
};

using Op = std::variant<PutOp, DeleteRangeOp, RangeRequest>;

// If all `compares` hold, does `then_ops` in order, else `else_ops`, as one change. Later
// operations see the effects of earlier ones of the same transaction. In one list a key may be put
// once, and no delete may cover a key that is put.
struct TxnRequest {
  std::vector<Compare> compares{};
  std::vector<Op> then_ops{};
  std::vector<Op> else_ops{};
};

struct PutResponse {};

struct DeleteRangeResponse {
  int64_t deleted = 0;
};

using OpResponse = std::variant<PutResponse, DeleteRangeResponse, RangeResponse>;

struct TxnResponse {
  bool succeeded = false;  // the compares held
  // The revision this transaction made, which is the mod_revision of all that it put; or, if it
  // changed nothing, the store's revision when it ran.
  Revision revision = 0;
  std::vector<OpResponse> responses{};  // one per operation done, in order
};

struct LeaseGrant {
  LeaseId lease = 0;
  std::chrono::seconds ttl{0};  // what the store gives; may be more than was asked
  // When the request that the store answered was sent: the lease lives until then + ttl at least.
  base::BoottimeTime sent{};
};

enum class EventType { kPut, kDelete };

struct Event {
  EventType type = EventType::kPut;
  KeyValue kv{};                      // of a delete: key and mod_revision alone
  std::optional<KeyValue> prev_kv{};  // if asked for and not compacted
};

struct WatchRequest {
  std::string key{};
  std::string range_end{};
  // The first revision of interest. 0: from the store's present as this client last heard of it, so
  // that all its own later writes are seen. To miss nothing,
  // pass the revision of a RangeResponse + 1. May lie in the future.
  Revision from_revision = 0;
  bool with_prev = false;
};

// All events up to `revision` have now been delivered: resume at revision + 1. Holds whole
// revisions, at most kMaxWatchBatchEvents events unless a single revision has more. `events` may be
// empty.
struct WatchBatch {
  Revision revision = 0;
  std::vector<Event> events{};  // ascending by mod_revision; in one revision as they were done
};

// What a watch tells. A member may be empty; any may destroy the watch's registration.
struct WatchHandler {
  // Never drops, repeats or reorders an event, however slow the reader is.
  std::function<void(const WatchBatch&)> on_events;
  // The watch is over: history before `compact_revision` is gone (0: the store was put back to an
  // earlier state, and equal revisions mean nothing). Read anew, watch from the revision read + 1.
  std::function<void(Revision compact_revision)> on_compacted;
  // The watch is over: watch again from the last batch's revision + 1.
  std::function<void(const base::Error&)> on_lost;
};

class Store {
 public:
  template <typename T>
  using Callback = std::function<void(base::Result<T>)>;

  virtual ~Store() = default;

  // Fails with kNotFound where request.revision is older than the last compaction, with kInvalid
  // where it is of the future.
  virtual void range(RangeRequest request, Callback<RangeResponse> done) = 0;

  // All or nothing. Fails with kNotFound if a put that would be done names a lease that is gone.
  virtual void txn(TxnRequest request, Callback<TxnResponse> done) = 0;

  // Events begin to flow in a later turn of the loop, and end when the registration is destroyed.
  // The registration may outlive the store. A malformed request ends with on_lost(kInvalid).
  // Never fails to notice: a watch ends by its registration, on_compacted or on_lost alone.
  virtual base::RegistrationPtr watch(WatchRequest request, WatchHandler handler) = 0;

  // A lease ends when `ttl` has passed since it was granted or last kept alive, or when revoked;
  // its keys are deleted then, as one change. An ended lease is never revived: kNotFound.
  virtual void grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) = 0;
  virtual void keep_alive(LeaseId lease, Callback<LeaseGrant> done) = 0;
  // Returns the store's revision after its keys were deleted.
  virtual void revoke_lease(LeaseId lease, Callback<Revision> done) = 0;

  // Forgets all versions that were superseded at or before `revision`; reads at older revisions
  // fail from then on. kInvalid for a revision of the future, kNotFound for one compacted already.
  virtual void compact(Revision revision, Callback<Revision> done) = 0;
};

}  // namespace flotilla::store
