// The state machine of mounts: as service_machine.h, with which it shares its data, events and
// actions, from settings, state and event to the next state and what is to be done. Pure; never
// allocates.
//
//     dead | failed -> mounting -> mounting-done -> mounted -> unmounting [-sigterm, -sigkill]
//                                                   |  ^                        |
//                                                   v  |                        v
//                                  remounting [-sigterm, -sigkill]       dead | failed
//
// What is mounted is the kernel's to say (facts.is_mounted, Kind::kMounted, Kind::kUnmounted): a
// mount follows what others do, and after a command of its own it is what the kernel says it is.
// Feed what the kernel says before the exit of a command, so that its success can be judged.
#pragma once

#include "init/service_machine.h"

namespace flotilla::init {

// Clears `actions` and fills it. An event that means nothing in the state gives no action.
// Requires: state.awaits is kNothing, or the event is its outcome.
void step_mount(ServiceState& state, const ServiceEvent& event, const ServiceFacts& facts,
                ServiceActions& actions) noexcept;

}  // namespace flotilla::init
