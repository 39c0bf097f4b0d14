// Pacing: how soon one transaction of decisions follows the other while that is not answered yet.
// Where all are sent at one stroke, the machines' states follow at one stroke too, and a store that
// has much to do pays for the peak with every transaction that comes later: etcd 3.4 copies for
// each of them the room that it needed at most between two commits to its file. Where the store
// answers at once this is next to no time.
//
// Pure but for what it remembers; time comes in with each call.
#pragma once

#include "base/clock.h"

namespace flotilla::engine {

class Pacing {
 public:
  void on_sent(base::MonotonicTime now) { sent_ = now; }
  // A transaction was answered `took` after it was sent.
  void on_answer(base::Micros took) { took_ = took; }

  // How long the next one has to wait still; 0: not at all.
  base::Micros wait(base::MonotonicTime now) const;

 private:
  base::MonotonicTime sent_{};  // the last transaction
  base::Micros took_{0};        // the last one that was answered
};

}  // namespace flotilla::engine
