// Batch: gathers what is asked for in one turn of the loop, and while the last call is under way,
// so that one call does for hundreds of units what would else be a call for each. A call that takes
// long holds up nobody: what has come meanwhile goes into the next one.
//
// Owned by AgentManager; loop thread only. `send` is called with at least one item and at most
// `limit`, and not while its last call is under way, unless that has taken longer than `patience`.
#pragma once

#include <algorithm>
#include <cstdint>
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

  Batch(base::EventLoop& loop, size_t limit, base::Micros patience, Send send)
      : loop_(loop), limit_(limit), patience_(patience), send_(std::move(send)) {}
  ~Batch() { *alive_ = false; }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void add(Item item) {
    waiting_.push_back(std::move(item));
    if (!is_held_up_) post();
  }

 private:
  void post() {
    is_held_up_ = true;
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
    const uint64_t call = ++last_call_;
    end_of_patience_ = loop_.after(patience_, [this, call] { go_on(call); });
    send_(std::move(items), [this, alive = alive_, call] {
      if (*alive) go_on(call);
    });
  }
  // The call has ended, or takes too long.
  void go_on(uint64_t call) {
    if (call != last_call_ || !is_held_up_) return;
    is_held_up_ = false;
    end_of_patience_.reset();
    if (!waiting_.empty()) post();
  }

  base::EventLoop& loop_;
  const size_t limit_;
  const base::Micros patience_;
  const Send send_;
  std::vector<Item> waiting_;
  bool is_held_up_ = false;  // a call is under way, or about to be
  uint64_t last_call_ = 0;
  base::RegistrationPtr end_of_patience_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::agent
