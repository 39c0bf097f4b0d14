#include "store/settling_store.h"

#include <algorithm>
#include <utility>

#include "store/keyspace.h"

namespace flotilla::store {

using base::Errc;
using base::Result;

namespace {

// Whether these events are what the operations do.
bool fits(const std::vector<Op>& ops, const std::vector<Event>& events) {
  size_t puts = 0;
  for (const Op& op : ops) puts += std::holds_alternative<PutOp>(op) ? 1 : 0;
  for (const Event& event : events) {
    const bool is_of_these = std::any_of(ops.begin(), ops.end(), [&](const Op& op) {
      if (const auto* put = std::get_if<PutOp>(&op)) {
        return event.type == EventType::kPut && put->key == event.kv.key &&
               put->value == event.kv.value && put->lease == event.kv.lease;
      }
      const auto* del = std::get_if<DeleteRangeOp>(&op);
      return del != nullptr && event.type == EventType::kDelete &&
             in_range(event.kv.key, del->key, del->range_end);
    });
    if (!is_of_these) return false;
    puts -= event.type == EventType::kPut ? 1 : 0;
  }
  return puts == 0;
}

}  // namespace

void SettlingStore::range(RangeRequest request, Callback<RangeResponse> done) {
  inner_->range(std::move(request), std::move(done));
}
base::RegistrationPtr SettlingStore::watch(WatchRequest request, WatchHandler handler) {
  return inner_->watch(std::move(request), std::move(handler));
}
void SettlingStore::grant_lease(std::chrono::seconds ttl, Callback<LeaseGrant> done) {
  inner_->grant_lease(ttl, std::move(done));
}
void SettlingStore::keep_alive(LeaseId lease, Callback<LeaseGrant> done) {
  inner_->keep_alive(lease, std::move(done));
}
void SettlingStore::revoke_lease(LeaseId lease, Callback<Revision> done) {
  inner_->revoke_lease(lease, std::move(done));
}
void SettlingStore::compact(Revision revision, Callback<Revision> done) {
  inner_->compact(revision, std::move(done));
}

void SettlingStore::txn(TxnRequest request, Callback<TxnResponse> done) {
  auto open = std::make_shared<Open>();
  open->request = std::move(request);
  open->done = std::move(done);
  open->before = known_;
  inner_->txn(open->request, [this, open](Result<TxnResponse> response) {
    if (response) return answer(open->done, std::move(*response));
    if (response.error().code == Errc::kUnavailable) return txn(open->request, open->done);
    if (response.error().code != Errc::kTimedOut) return open->done(std::move(response));
    ++settled_;
    settle(open);
  });
}

void SettlingStore::answer(const Callback<TxnResponse>& done, TxnResponse response) {
  known_ = std::max(known_, response.revision);
  // One that changed nothing tells a revision that another made.
  const bool made_it =
      std::any_of(response.responses.begin(), response.responses.end(), [](const OpResponse& op) {
        const auto* del = std::get_if<DeleteRangeResponse>(&op);
        return std::holds_alternative<PutResponse>(op) || (del != nullptr && del->deleted > 0);
      });
  if (made_it) answered_.insert(response.revision);
  done(std::move(response));
}

void SettlingStore::settle(const OpenPtr& open) {
  inner_->range({std::string(kToLastKey)}, [this, open](const Result<RangeResponse>& present) {
    if (!present) return settle(open);
    open->until = present->revision;
    if (open->until == open->before) return txn(open->request, open->done);
    read_history(open);
  });
}

void SettlingStore::read_history(const OpenPtr& open) {
  WatchHandler handler;
  handler.on_events = [this, open](const WatchBatch& batch) {
    for (const Event& event : batch.events) open->history[event.kv.mod_revision].push_back(event);
    if (batch.revision >= open->until) decide(open);
  };
  // Compacted by the test itself, so what was done is done.
  handler.on_compacted = [this, open](Revision compacted) {
    open->before = compacted - 1;
    read_history(open);
  };
  handler.on_lost = [this, open](const base::Error&) { read_history(open); };
  open->history.clear();
  open->watch = inner_->watch({std::string(kToLastKey), std::string(kToLastKey), open->before + 1},
                              std::move(handler));
}

void SettlingStore::decide(const OpenPtr& open) {
  // Ended last: its handler owns what `open` refers to.
  const base::RegistrationPtr ended = std::move(open->watch);
  for (const auto& [revision, events] : open->history) {
    if (revision > open->until || answered_.contains(revision)) continue;
    const bool is_then = fits(open->request.then_ops, events);
    if (!is_then && !fits(open->request.else_ops, events)) continue;
    auto response = std::make_shared<TxnResponse>();
    response->succeeded = is_then;
    response->revision = revision;
    return complete(open, response);
  }
  txn(open->request, open->done);
}

// Answers operation by operation; reads show what was before the first write, or after all.
void SettlingStore::complete(const OpenPtr& open, const std::shared_ptr<TxnResponse>& response) {
  const auto& ops = response->succeeded ? open->request.then_ops : open->request.else_ops;
  const std::vector<Event>& events = open->history[response->revision];
  while (response->responses.size() < ops.size()) {
    const size_t at = response->responses.size();
    if (std::holds_alternative<PutOp>(ops[at])) {
      response->responses.emplace_back(PutResponse{});
    } else if (const auto* del = std::get_if<DeleteRangeOp>(&ops[at])) {
      const auto count = std::count_if(events.begin(), events.end(), [&](const Event& event) {
        return event.type == EventType::kDelete && in_range(event.kv.key, del->key, del->range_end);
      });
      response->responses.emplace_back(DeleteRangeResponse{count});
    } else {
      RangeRequest range = std::get<RangeRequest>(ops[at]);
      const bool is_first =
          std::all_of(ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(at),
                      [](const Op& op) { return std::holds_alternative<RangeRequest>(op); });
      if (range.revision == 0) range.revision = response->revision - (is_first ? 1 : 0);
      return inner_->range(range, [this, open, response](Result<RangeResponse> read) {
        if (read) response->responses.emplace_back(std::move(*read));
        complete(open, response);
      });
    }
  }
  answer(open->done, std::move(*response));
}

}  // namespace flotilla::store
