// LeaseFence: until when units that must not run twice may run here. The lease is counted on
// CLOCK_BOOTTIME from the moment at which the last acknowledged keep-alive was sent: it cannot end
// in the store before a whole TTL has passed since then. At two thirds of that the fence closes and
// such units are stopped; what still runs shortly before the end is killed.
//
//   sent ---------------- open ----------------|-- closed: stop --|-- kill --| the lease may have
//   ended 0                                          2/3                11/12      TTL
//
// The moment is remembered in the State, so that a daemon that was killed and cannot reach the
// store goes on counting where the one before was; and in the record of fleet-lease.service, which
// does the same where there is no daemon. Loop thread only. Wakes up only while it is needed.
#pragma once

#include <functional>
#include <string>

#include "agent/lease_unit.h"
#include "base/event_loop.h"
#include "overlord/state.h"
#include "registry/machine_session.h"

namespace flotilla::agent {

class LeaseFence {
 public:
  // `on_change` is called when it closes, opens, or when it is time to kill.
  LeaseFence(base::EventLoop& loop, registry::MachineSession& session, overlord::State& state,
             LeaseUnit& unit, std::string boot_id, std::function<void()> on_change);

  // Whether there is something here that it holds for.
  void set_needed(bool is_needed);
  // The store has acknowledged the lease: session.acknowledged_at() has changed.
  void on_acknowledged();

  bool is_open() const { return now() < record().closes_at(); }
  bool is_time_to_kill() const { return now() >= record().kills_at(); }

 private:
  base::BoottimeTime now() const { return loop_.clock().boottime(); }
  LeaseRecord record() const { return {boot_id_, acknowledged_, session_.ttl()}; }
  void restore();
  void remember();
  void arm();

  base::EventLoop& loop_;
  registry::MachineSession& session_;
  overlord::State& state_;
  LeaseUnit& unit_;
  const std::string boot_id_;
  const std::function<void()> on_change_;
  base::BoottimeTime acknowledged_;
  bool is_needed_ = false;
  base::RegistrationPtr timer_;
};

}  // namespace flotilla::agent
