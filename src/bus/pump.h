// Pump: drives one sd_bus by an EventLoop: watches its descriptor for what it wants now, keeps its
// deadline, and calls sd_bus_process until there is nothing to do. Inside bus/ only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "base/fd.h"

struct sd_bus;

namespace flotilla::bus {

// What one connection may cost us in memory. Without limits for those we trust.
struct PumpLimits {
  // While more than this waits to be written nothing is read: who asks must take the answers.
  uint64_t unread_answers = UINT64_MAX;
  // Bytes of one message; what comes between two calls counts as one.
  uint64_t message_bytes = UINT64_MAX;
};

class Pump {
 public:
  // Takes over the caller's reference to `bus`, which has been started. `on_closed` is called once,
  // from the loop, with the errno that ended the connection; the pump may be destroyed in it, and
  // in every callback of the bus.
  Pump(base::EventLoop& loop, sd_bus* bus, std::function<void(int error_number)> on_closed,
       PumpLimits limits = {});
  // Closes the connection; what the socket had no room for yet is dropped. What still waits
  // for a reply is never called.
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  sd_bus* bus() const noexcept { return bus_; }
  // To be called after anything was sent or queued: what the bus waits for may have changed.
  void update();
  // Ends the connection soon, as if the peer had: on_closed gets this errno.
  void fail(int error_number);
  bool is_closed() const noexcept { return closed_; }
  // To be called when a peer has asked for something. What follows from it comes before the next
  // call of the same peer: the rest of the turn belongs to others.
  void on_call() noexcept { has_call_ = true; }
  uint64_t queued_writes() const;

 private:
  struct Life;

  void run();
  // One step of the bus, or 0 where it has to wait for the client; -ENOBUFS above a limit.
  int step(sd_bus* bus);
  bool is_held_up() const;
  void close(int error_number);
  void stop_watching();
  // False if there is nothing to watch: then the connection is about to end.
  bool follow_descriptor(int fd);

  base::EventLoop& loop_;
  sd_bus* bus_;
  std::function<void(int)> on_closed_;
  const PumpLimits limits_;
  uint64_t unfinished_bytes_ = 0;  // taken from the socket since the last whole message
  std::shared_ptr<Life> life_;     // what posts and run() look at to see whether we are still there
  // sd-bus closes its descriptor when it sees fit, also while it is watched; so the loop watches a
  // duplicate, which is closed after the watch has ended.
  base::Fd watched_;
  uint64_t watched_inode_ = 0;
  base::RegistrationPtr watch_;
  base::RegistrationPtr timer_;
  base::MonotonicTime deadline_ = base::MonotonicTime::never();
  uint32_t events_ = 0;
  bool posted_ = false;
  bool running_ = false;
  bool closed_ = false;
  bool has_call_ = false;
};

}  // namespace flotilla::bus
