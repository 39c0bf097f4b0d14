#include "overlord/state_engine.h"

#include <spdlog/spdlog.h>

namespace flotilla::overlord {

StateEngine::StateEngine(base::EventLoop& loop) : loop_(loop) {}
StateEngine::~StateEngine() = default;

void StateEngine::add(StateManager& manager) { managers_.push_back(&manager); }

base::Status StateEngine::start_up() {
  if (started_) return {};
  base::Status first;
  for (StateManager* manager : managers_) {
    base::Status status = manager->start_up();
    if (status) continue;
    SPDLOG_ERROR("Failed to start {}: {}", manager->name(), status.error().message);
    if (first) first = std::move(status);
  }
  started_ = true;
  ensure_soon();
  return first;
}

base::Status StateEngine::ensure() {
  if (!started_ || stopped_) return base::unavailable("state engine is not running");
  base::Status first;
  for (StateManager* manager : managers_) {
    base::Status status = manager->ensure();
    if (stopped_) break;  // a manager may end the daemon
    if (status) continue;
    SPDLOG_WARN("{}: {}", manager->name(), status.error().message);
    if (first) first = std::move(status);
  }
  return first;
}

void StateEngine::ensure_before(base::Micros delay) {
  if (stopped_ || !started_) return;
  const base::MonotonicTime when = loop_.clock().monotonic() + delay;
  if (when >= next_) return;
  next_ = when;
  timer_ = loop_.at(when, [this] { run_pass(); });
}

void StateEngine::run_pass() {
  next_ = base::MonotonicTime::never();
  // Failures are logged where they happen; a manager that wants another try has asked for it.
  [[maybe_unused]] const base::Status status = ensure();
}

void StateEngine::stop() {
  if (stopped_) return;
  stopped_ = true;
  timer_.reset();
  if (!started_) return;
  for (StateManager* manager : managers_) manager->stop();
}

}  // namespace flotilla::overlord
