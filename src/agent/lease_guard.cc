#include "agent/lease_guard.h"

#include <fmt/format.h>
#include <signal.h>

#include <cstdio>
#include <vector>

namespace flotilla::agent {

namespace {

std::set<std::string> bound_units(const bus::Properties& properties) {
  std::set<std::string> units;
  const bus::Value* value = bus::find_property(properties, "BoundBy");
  const std::vector<bus::Value>* list = value != nullptr ? value->as_list() : nullptr;
  if (list == nullptr) return units;
  for (const bus::Value& item : *list) {
    if (const std::string* unit = item.as_string()) units.insert(*unit);
  }
  return units;
}

}  // namespace

LeaseGuard::~LeaseGuard() { *alive_ = false; }

void LeaseGuard::look() {
  if (phase_ == Phase::kEnded) return;
  if (phase_ == Phase::kStopping) return kill_late();
  const std::optional<LeaseRecord> record = parts_.read();
  if (record && record->boot_id == parts_.boot_id) {
    if (record->is_released()) return end(0);
    if (now() < record->closes_at()) return hold(*record);
  }
  // One that is not started yet waits for fleetd, for as long as the manager lets it.
  if (phase_ == Phase::kHolding && now() >= record_.closes_at()) begin_stopping();
}

void LeaseGuard::hold(const LeaseRecord& record) {
  // The manager's watchdog stands in for this process where it hangs; a little later, so that the
  // two are never at it together.
  parts_.notify(fmt::format("{}WATCHDOG_USEC={}\nWATCHDOG=1",
                            phase_ == Phase::kWaiting ? "READY=1\n" : "",
                            (record.ttl * 3 / 4).count()));
  phase_ = Phase::kHolding;
  record_ = record;
  parts_.wake_at(record.closes_at());
}

void LeaseGuard::begin_stopping() {
  phase_ = Phase::kStopping;
  std::fprintf(stderr,
               "The machine's lease was not renewed: stopping the units that must not run twice\n");
  parts_.notify("WATCHDOG=1\nSTATUS=The lease was not renewed; stopping units");
  parts_.wake_at(record_.kills_at());
  manager_ = parts_.connect();
  subscription_ = manager_->subscribe(*this);
}

void LeaseGuard::on_connected() {
  manager_->get_properties(parts_.unit, [this, alive = alive_](auto properties) {
    if (!*alive || phase_ != Phase::kStopping) return;
    if (!properties) return end(1);
    stopping_ = bound_units(*properties);
    if (stopping_.empty()) return end(1);
    for (const std::string& unit : stopping_) stop(unit);
    if (is_killing_) kill_late();
  });
}

void LeaseGuard::stop(const std::string& unit) {
  manager_->stop(unit, bus::JobMode::kReplace, [this, alive = alive_, unit](const auto& result) {
    // Whether it was stopped, or what refused it: the manager does the rest when this one ends.
    if (!*alive || (!result && result.error().code == base::Errc::kUnavailable)) return;
    stopping_.erase(unit);
    if (stopping_.empty()) end(1);
  });
}

void LeaseGuard::kill_late() {
  if (now() < record_.kills_at()) return;
  if (now() >= record_.ends_at()) return end(1);
  is_killing_ = true;
  for (const std::string& unit : stopping_) {
    std::fprintf(stderr, "%s still runs while the lease is about to end: killing it\n",
                 unit.c_str());
    manager_->kill(unit, bus::KillWho::kAll, SIGKILL, [](const auto&) {});
  }
  parts_.wake_at(record_.ends_at());
}

void LeaseGuard::end(int exit_code) {
  phase_ = Phase::kEnded;
  parts_.end(exit_code);
}

}  // namespace flotilla::agent
