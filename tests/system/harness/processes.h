// Processes as /proc shows them. The test process is a child subreaper: whatever it started, and
// whatever that started, is below it or falls to it, so that all of it can be found and ended.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace flotilla::system_test {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = 0;        // as in /proc/PID/stat: R, S, Z ...
  uint64_t started = 0;  // ticks since boot: with the pid, the process's identity
  std::string name;      // comm
  std::string command;   // words divided by blanks; empty for a zombie
};

void become_subreaper();

// pid 0: it does not exist.
Process find_process(pid_t pid);
// All processes below this one, without itself; zombies too.
std::vector<Process> descendants_of(pid_t pid);
bool is_alive(pid_t pid);  // exists and is no zombie

// SIGKILL to it and all below, until none is left.
void kill_tree(pid_t pid);

// Reaps what has fallen to this process, but never what BackgroundCommand waits for.
void reap_orphans();
void keep_for_waiting(pid_t pid);
void forget_waiting(pid_t pid);
bool is_waited_for(pid_t pid);

// voluntary + involuntary context switches of all its threads.
uint64_t context_switches(pid_t pid);

}  // namespace flotilla::system_test
