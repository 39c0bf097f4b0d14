// StateEngine: runs the daemon's managers. Managers never call each other; they meet in the State
// and the registry. A manager compares what is wanted with what is, starts what has to be done, and
// returns at once; whatever finishes later asks for another pass by ensure_before(). Nothing is
// done on a clock's say-so alone: without a request there is no pass.
//
// Owned by fleetd's composition; loop thread only.
#pragma once

#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"

namespace flotilla::overlord {

class StateManager {
 public:
  virtual ~StateManager() = default;

  virtual std::string_view name() const = 0;
  // Once, before the first ensure().
  virtual base::Status start_up() { return {}; }
  // Must tolerate any order and any frequency, look at the whole desired state, and not block.
  virtual base::Status ensure() = 0;
  // Once, at the end: no callback of the manager's may run after it returned.
  virtual void stop() {}
};

class StateEngine {
 public:
  explicit StateEngine(base::EventLoop& loop);
  ~StateEngine();
  StateEngine(const StateEngine&) = delete;
  StateEngine& operator=(const StateEngine&) = delete;

  // Requires: before start_up(); `manager` lives until stop(), or as long as the loop runs.
  void add(StateManager& manager);

  // Calls every manager's start_up() in the order they were added, all of them even if some fail;
  // returns the first error. The first pass follows in the next turn of the loop.
  base::Status start_up();

  // One pass: every manager, even if some fail; failures are logged; returns the first. Fails if
  // not started or already stopped.
  base::Status ensure();

  // Asks for a pass within `delay`. Many requests make one pass; a request never puts off an
  // earlier one. Ignored after stop(). May be called from inside a pass.
  void ensure_before(base::Micros delay);
  void ensure_soon() { ensure_before(base::Micros(0)); }

  // Stops the managers in the order they were added. Later calls do nothing. The owner's to call:
  // managers refer to the engine, so they are often gone when it is destroyed.
  void stop();

 private:
  void run_pass();

  base::EventLoop& loop_;
  std::vector<StateManager*> managers_;
  base::RegistrationPtr timer_;
  base::MonotonicTime next_ = base::MonotonicTime::never();
  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace flotilla::overlord
