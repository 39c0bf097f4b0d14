// Drain: before an orderly end, lets the units of this machine go where others can take them, as
// `fleetctl drain` would; and takes that back when the next fleetd has come up. What the machine
// was marked with before is remembered in the State.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "engine/scheduler.h"
#include "overlord/state.h"
#include "registry/cluster_view.h"
#include "registry/registry.h"

namespace flotilla::fleetd {

class Drain {
 public:
  // Requires: all references outlive it.
  Drain(base::EventLoop& loop, registry::Registry& registry, registry::ClusterView& view,
        overlord::State& state, std::string machine, std::function<bool()> has_stopped);
  ~Drain();

  // `done` is called once: when no unit here could run elsewhere any more and those that have gone
  // are stopped here (`has_stopped`), or when `limit` has passed.
  void begin(base::Micros limit, std::function<void()> done);
  // Requires: the machine is registered. Does nothing if nothing was begun.
  void undo();

 private:
  void begin_with_view();
  void mark(std::optional<std::string> value, std::function<void()> then);
  void look();
  bool has_movable_units();
  void finish(const char* how);

  base::EventLoop& loop_;
  registry::Registry& registry_;
  registry::ClusterView& view_;
  overlord::State& state_;
  const std::string machine_;
  const std::function<bool()> has_stopped_;
  std::unique_ptr<engine::Scheduler> scheduler_;  // while it is draining: asked, never obeyed
  std::function<void()> done_;
  base::RegistrationPtr view_hold_;  // while it is draining
  base::RegistrationPtr change_;
  base::RegistrationPtr limit_;
  base::RegistrationPtr look_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::fleetd
