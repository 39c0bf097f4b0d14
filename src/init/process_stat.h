// What /proc says of one process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::init {

struct ProcessStat {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';          // of its first thread; 'Z' and 'X': that is dead
  int64_t threads = 0;       // that have not been waited for, the first one included
  uint64_t start_ticks = 0;  // since boot; with the pid it names one process for good
  // The first thread may end before the others.
  bool is_dead() const noexcept { return state == 'X' || (state == 'Z' && threads <= 1); }
};

// The text of /proc/PID/stat; nothing if it is not one.
std::optional<ProcessStat> parse_process_stat(std::string_view text) noexcept;
// Nothing if there is no such process.
std::optional<ProcessStat> read_process_stat(pid_t pid) noexcept;
// Whether the process has this assignment in the environment it was started with. False where we
// may not look.
bool has_in_environment(pid_t pid, std::string_view assignment);
// The value of this variable there; empty where there is none or we may not look.
std::string find_in_environment(pid_t pid, std::string_view name);
// Every living process of the machine, in the order of their pids (more or less of their age).
std::vector<ProcessStat> read_all_processes();

// The children of a process's first thread; nothing where the kernel does not tell. None of one's
// own is missing: they stay until they are waited for.
std::optional<std::vector<pid_t>> read_children(pid_t pid);
// Those of all its threads. One may be missing while others end.
std::vector<pid_t> read_children(const ProcessStat& process);

// Adds those that the text of a cgroup.procs names; of another pid namespace it knows no numbers.
void add_pids(std::string_view procs, std::vector<pid_t>& pids);

// Signals this very process, or nothing if its pid is another's by now.
bool signal_process(const ProcessStat& process, int signal) noexcept;

}  // namespace flotilla::init
