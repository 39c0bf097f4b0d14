// EtcdFlood: when a watch that is told very much takes a rest. etcd sends a message for each
// transaction that a standing watch is to hear of, but many transactions in one to a watch that
// begins in the past: where they come by the hundreds a second, letting them gather costs it, and
// us, a fraction.
//
// Pure but for what it remembers; time comes in with each call.
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace flotilla::store {

inline constexpr base::Micros kFloodRest = std::chrono::milliseconds(400);

class EtcdFlood {
 public:
  // A stream stands, the first one or one after a rest.
  void on_stream(base::MonotonicTime now);
  // A message with events has come. Returns whether to end the stream, and begin another where it
  // ended after kFloodRest.
  bool on_message(base::MonotonicTime now, size_t events);

 private:
  bool is_flood_ = false;  // the last stream ended for a rest
  base::MonotonicTime stands_since_{};
  size_t events_ = 0;              // on this stream
  base::MonotonicTime counted_{};  // since when messages_ are
  size_t messages_ = 0;
};

}  // namespace flotilla::store
