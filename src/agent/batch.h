// Batch: gathers what is asked for in one turn of the loop, and while the last call is under way,
// so that one call does for hundreds of units what would else be a call for each.
//
// Owned by AgentManager; loop thread only. `send` is called with at least one item and at most
// `limit`, never while its last call has not ended.
#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "base/event_loop.h"

namespace flotilla::agent {

template <typename Item>
class Batch {
 public:
  using Ended = std::function<void()>;
  using Send = std::function<void(std::vector<Item>, Ended)>;

  Batch(base::EventLoop& loop, size_t limit, Send send)
      : loop_(loop), limit_(limit), send_(std::move(send)) {}
  ~Batch() { *alive_ = false; }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void add(Item item) {
    waiting_.push_back(std::move(item));
    if (!is_under_way_) post();
  }

 private:
  void post() {
    is_under_way_ = true;
    loop_.post([this, alive = alive_] {
      if (*alive) send_next();
    });
  }
  void send_next() {
    const auto end =
        waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(limit_, waiting_.size()));
    std::vector<Item> items(std::make_move_iterator(waiting_.begin()),
                            std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    send_(std::move(items), [this, alive = alive_] {
      if (!*alive) return;
      is_under_way_ = false;
      if (!waiting_.empty()) post();
    });
  }

  base::EventLoop& loop_;
  const size_t limit_;
  const Send send_;
  std::vector<Item> waiting_;
  bool is_under_way_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::agent
