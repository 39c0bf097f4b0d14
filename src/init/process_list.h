// The processes of a unit as people look at them: each with the cgroup it is in and its command
// line, quoted so that a shell would read it back. For the bus façade.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "init/process_tracker.h"

namespace flotilla::init {

struct ListedProcess {
  std::string cgroup;  // "/system.slice/a.service/inner"; empty where there is none
  pid_t pid = 0;
};

// Of the cgroup and of all below it, kernel threads left out. The path is one of the tracker's.
std::vector<ListedProcess> list_processes(const ProcessTracker& tracker, const std::string& path);

// The arguments as one line, from /proc; "[comm]" for a process without.
std::string command_line_of(pid_t pid);

// The bytes of /proc/PID/cmdline as that line; empty for none.
std::string quote_command_line(std::string_view arguments);

}  // namespace flotilla::init
