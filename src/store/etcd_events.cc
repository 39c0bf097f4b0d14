#include "store/etcd_events.h"

#include <proto/etcd.pb.h>

#include <iterator>
#include <utility>

#include "store/etcd_wire.h"

namespace flotilla::store {

namespace {

constexpr int64_t kNoWatch = -1;  // the watch id of an answer to a progress request

}  // namespace

void EtcdEvents::add(pb::WatchResponse& message) {
  for (pb::Event& event : *message.mutable_events()) {
    if (event.kv().mod_revision() >= next_) fragments_.push_back(from_wire(event));
  }
  if (message.fragment()) return;
  if (!fragments_.empty()) return cut();
  if (message.events_size() > 0 || message.watch_id() == kNoWatch) return;
  if (const Revision progress = message.header().revision(); progress >= next_) {
    next_ = progress + 1;
    batches_.push_back({progress, {}});
  }
}

void EtcdEvents::cut() {
  std::vector<Event> events = std::exchange(fragments_, {});
  next_ = events.back().kv.mod_revision + 1;
  size_t from = 0;
  while (from < events.size()) {
    // As many whole revisions as fit, but one at least.
    size_t end = from;
    while (end < events.size()) {
      size_t next = end;
      const Revision revision = events[end].kv.mod_revision;
      while (next < events.size() && events[next].kv.mod_revision == revision) ++next;
      if (end > from && next - from > kMaxWatchBatchEvents) break;
      end = next;
    }
    const auto begin = events.begin();
    WatchBatch batch;
    batch.revision = events[end - 1].kv.mod_revision;
    batch.events.assign(std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(from)),
                        std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(end)));
    batches_.push_back(std::move(batch));
    from = end;
  }
}

WatchBatch EtcdEvents::take() {
  WatchBatch batch = std::move(batches_.front());
  batches_.pop_front();
  return batch;
}

}  // namespace flotilla::store
