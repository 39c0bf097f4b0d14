// LeaseGuard: the inside of fleet-lease, the service that units which must not run twice are bound
// to. It looks at the record that fleetd writes at each acknowledged keep-alive; when that is not
// renewed in time it has the service manager stop those units, kills what still runs shortly before
// the lease can end, and ends itself, so that the manager stops whatever is left.
//
//   waiting -- good record: READY=1 --> holding -- not renewed --> stopping --> ended (failed)
//                                          \-- released: ended (well)
//
// While it stops them a renewal changes nothing: the agent starts them again afterwards.
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/lease_record.h"
#include "base/event_loop.h"
#include "bus/unit_manager.h"

namespace flotilla::agent {

struct LeaseGuardParts {
  base::EventLoop& loop;
  std::string boot_id;
  std::string unit;  // its own
  std::function<std::optional<LeaseRecord>()> read;
  // Calls look() at that time of CLOCK_BOOTTIME; a later call replaces the one before.
  std::function<void(base::BoottimeTime)> wake_at;
  std::function<std::unique_ptr<bus::UnitManager>()> connect;
  std::function<void(std::string_view assignments)> notify;  // sd_notify(3)
  std::function<void(int exit_code)> end;
};

class LeaseGuard : private bus::UnitManagerListener {
 public:
  explicit LeaseGuard(LeaseGuardParts parts) : parts_(std::move(parts)) {}
  ~LeaseGuard() override;

  // At the start, when the record has been written, and when it is time.
  void look();

 private:
  enum class Phase : uint8_t { kWaiting, kHolding, kStopping, kEnded };

  void hold(const LeaseRecord& record);
  void begin_stopping();
  void on_connected() override;
  void stop(const std::string& unit);
  void kill_late();
  void end(int exit_code);
  base::BoottimeTime now() const { return parts_.loop.clock().boottime(); }

  const LeaseGuardParts parts_;
  Phase phase_ = Phase::kWaiting;
  LeaseRecord record_;  // the last good one
  bool is_killing_ = false;
  std::set<std::string> stopping_;
  std::unique_ptr<bus::UnitManager> manager_;
  base::RegistrationPtr subscription_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::agent
