// What an earlier life of the manager has left behind: processes of services whose manager and
// keeper were both killed. Nobody gets their exits any more, so they cannot be taken over; they are
// ended before the new life starts everything afresh.
//
// Blocks; for the start of the program alone.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "init/process_stat.h"
#include "init/state_file.h"

namespace flotilla::init {

// By what its processes are known: an invocation id in their environment, or a pid that was started
// when the record says.
struct EarlierLife {
  std::set<std::string> invocations;  // 32 hex digits each
  std::vector<std::pair<pid_t, base::MonotonicTime>> processes;
  pid_t keeper = 0;  // 0: not known

  static EarlierLife of(const StateFile& state);
};

// Those of `all` that are of that life; never this process or one that it descends from.
std::vector<ProcessStat> find_left_over(const EarlierLife& life,
                                        const std::vector<ProcessStat>& all);

// Asks them to end, kills those that live after `grace`, and removes the cgroup at the host path
// `cgroup` (empty: none) with all that is in it. Returns how many there were.
size_t end_earlier_life(const EarlierLife& life, const std::string& cgroup, base::Micros grace);

}  // namespace flotilla::init
