// Where a LocalStore's changes become durable. Narrow on purpose: the store decides what changes,
// a journal only writes it down, whole batches at a time.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "store/keyspace.h"

namespace flotilla::store {

struct LeaseRecord {
  LeaseId lease = 0;
  std::chrono::seconds ttl{0};
};

// All that was asked for in one turn of the loop; it happens as a whole or not at all.
struct Batch {
  Revision revision = 0;  // of the store after it
  std::vector<Change> changes;
  std::vector<LeaseRecord> granted;
  std::vector<LeaseId> ended;
  std::vector<ChangeId> removed;         // superseded versions to forget
  Revision compact_revision = 0;         // 0: as before
  bool must_survive_power_loss = false;  // else it need only survive the death of the process

  bool is_empty() const {
    return changes.empty() && granted.empty() && ended.empty() && removed.empty() &&
           compact_revision == 0;
  }
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Writes the batch and calls `done` in a later turn of the loop. One batch at a time. `done` may
  // outlive the journal in the loop's queue.
  virtual void write(Batch batch, std::function<void(base::Status)> done) = 0;
};

}  // namespace flotilla::store
