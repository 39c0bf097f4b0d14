// MachineSession: this machine's presence in the cluster. Holds the lease, keeps it alive, and
// keeps the machine's record under it, for as long as the daemon runs. Whatever lives with the
// machine (unit states) hangs on lease().
//
// Taking over: a record of the same machine id belongs to an earlier run of this very daemon if
// state directory and boot id are the same (we hold the directory's lock, so that run is over); it
// is taken over at once, lease and all. So it is on a store that only one daemon can have open. Any
// other record is somebody else's until its lease ends; if it is still kept alive after that time,
// two machines have the same id, and the session refuses.
//
//   starting -> registered <-> lost (the store is away or the lease has ended; tries on)
//       |
//   waiting (another record is there) -> registered | refused
//
// Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::registry {

struct SessionOptions {
  std::chrono::seconds ttl{30};
  bool sole_daemon = false;  // the store lets one daemon in at a time
};

class MachineSession {
 public:
  enum class State : uint8_t { kStarting, kWaiting, kRegistered, kLost, kRefused };

  // `self.state_id`, `boot_id` and `nonce` are filled by the caller; revisions and lease are not
  // looked at.
  MachineSession(store::Store& store, base::EventLoop& loop, std::string prefix, Machine self,
                 SessionOptions options);
  ~MachineSession();  // leaves the record to its lease: units of a daemon that restarts stay put
  MachineSession(const MachineSession&) = delete;
  MachineSession& operator=(const MachineSession&) = delete;

  void start();
  // Ends the lease at once and with it everything that hangs on it; `done` is called when the store
  // has answered. The session is over.
  void leave(std::function<void()> done);

  // Before an orderly end: keeps the lease alive once more, so that who comes next has all of its
  // time; `done` is called when the store has answered, or at once without a lease.
  void renew(std::function<void()> done);

  State state() const;
  bool is_registered() const { return state() == State::kRegistered; }
  const Machine& self() const;
  store::LeaseId lease() const;  // 0 while there is none
  std::chrono::seconds ttl() const;
  // When the last request was sent that the store has answered by keeping the lease: it does not
  // end before ttl() has passed since then. Unset until the session has been registered once.
  base::BoottimeTime acknowledged_at() const;
  const std::string& refusal() const;  // why, when state() is kRefused

  // Called after every change of acknowledged_at().
  void on_acknowledged(std::function<void()> callback);
  // Called after every change of state() or lease().
  void on_change(std::function<void()> callback);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::registry
