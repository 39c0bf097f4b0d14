// A unit as the agent manager keeps it, and what its two source files share. Private to agent/.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "agent/agent_manager.h"

namespace flotilla::agent {

struct AgentManager::Local {
  LocalUnit shown;
  bool is_loaded = false;  // its file is there
  // The text that was on disk when the daemon started, until it has been compared.
  std::optional<std::string> unresolved_text;
  uint64_t active_enter_usec = 0;
  // Of a oneshot: it has ended well, and the schedule entry under which that was told.
  bool has_ended_well = false;
  store::Revision told_end_of = 0;
  bool is_reading_enter_time = false;  // its state is published when that is known

  // Of a unit that must not run twice: the lease under which it was started last; else 0.
  store::LeaseId claimed_lease = 0;
  bool is_killed = false;  // as it still ran when the lease was about to end

  Chain chain;           // what is still to be done
  bool is_busy = false;  // an operation is under way: no new plan
  base::Micros retry_delay = std::chrono::seconds(1);
  base::MonotonicTime retry_at;  // unset: nothing has failed
  std::string failed_version;    // what was wanted when it failed
  std::string problem;           // why
};

// A callback that is silent once the manager is gone.
template <typename T>
bus::Done<T> AgentManager::guarded(std::function<void(base::Result<T>)> then) {
  return [alive = alive_, then = std::move(then)](base::Result<T> result) {
    if (*alive) then(std::move(result));
  };
}

}  // namespace flotilla::agent
