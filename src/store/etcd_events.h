// Turns the messages of one watch stream into batches: puts fragments together, cuts long answers
// where a revision ends, and knows where to go on after an interruption. Pure; owned by EtcdWatch.
#pragma once

#include <deque>
#include <vector>

#include "store/store.h"

namespace etcdserverpb {
class WatchResponse;
}  // namespace etcdserverpb

namespace flotilla::store {

namespace pb = ::etcdserverpb;

class EtcdEvents {
 public:
  explicit EtcdEvents(Revision from) : next_(from) {}

  // The first revision that is not here as a whole: a new stream begins there. It moves by events,
  // and by what etcd tells of its own accord on a stream with one watch; never by the answer to a
  // progress request, which may overtake events (etcd before 3.4.25 and 3.5.8).
  Revision next() const { return next_; }

  // A message that is neither "created" nor "canceled". Events of before next() are passed over.
  void add(pb::WatchResponse& message);
  // The stream broke off: what is not whole is forgotten.
  void break_off() { fragments_.clear(); }
  // History from before `revision` is not to be had; only for a watch that began at "now".
  void skip_to(Revision revision) { next_ = revision; }

  bool has_batch() const { return !batches_.empty(); }
  // Requires: has_batch().
  WatchBatch take();

 private:
  void cut();

  Revision next_;
  std::vector<Event> fragments_;    // of an answer that is not whole yet
  std::deque<WatchBatch> batches_;  // whole, not yet handed out
};

}  // namespace flotilla::store
