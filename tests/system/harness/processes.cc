#include "harness/processes.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "harness/temporary_root.h"

namespace flotilla::system_test {
namespace {

std::set<pid_t>& waited_for() {
  static std::set<pid_t> pids;
  return pids;
}

std::vector<pid_t> numbers_in(const std::string& directory) {
  std::vector<pid_t> numbers;
  DIR* const entries = opendir(directory.c_str());
  if (entries == nullptr) return numbers;
  while (const dirent* const entry = readdir(entries)) {
    const int number = std::atoi(entry->d_name);
    if (number > 0) numbers.push_back(number);
  }
  closedir(entries);
  return numbers;
}

std::string proc_path(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

// Pid, name, state, parent and start time; no command.
Process read_stat(pid_t pid) {
  Process process;
  const std::string text = read_file(proc_path(pid, "stat"));
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return process;
  process.pid = pid;
  process.name = text.substr(open + 1, close - open - 1);
  std::istringstream rest(text.substr(close + 1));
  rest >> process.state >> process.parent;
  std::string skipped;
  // Fields 5 to 21; the 22nd is the start time.
  for (int field = 5; field < 22; ++field) rest >> skipped;
  rest >> process.started;
  return process;
}

std::string command_of(pid_t pid) {
  std::string command = read_file(proc_path(pid, "cmdline"));
  while (!command.empty() && command.back() == '\0') command.pop_back();
  std::replace(command.begin(), command.end(), '\0', ' ');
  return command;
}

}  // namespace

void become_subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

Process find_process(pid_t pid) {
  Process process = read_stat(pid);
  process.command = command_of(pid);
  return process;
}

std::vector<Process> descendants_of(pid_t pid) {
  std::multimap<pid_t, Process> children;
  for (const pid_t number : numbers_in("/proc")) {
    Process process = read_stat(number);
    if (process.pid != 0) children.emplace(process.parent, std::move(process));
  }
  std::vector<Process> found;
  std::vector<pid_t> parents{pid};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    const auto [begin, end] = children.equal_range(parent);
    for (auto child = begin; child != end; ++child) {
      parents.push_back(child->second.pid);
      found.push_back(child->second);
      found.back().command = command_of(child->second.pid);
    }
  }
  return found;
}

bool is_alive(pid_t pid) {
  const Process process = read_stat(pid);
  return process.pid != 0 && process.state != 'Z' && process.state != 'X';
}

void kill_tree(pid_t pid) {
  // Stopped first, so that it starts no more while we look.
  if (pid != getpid()) kill(pid, SIGSTOP);
  for (int pass = 0; pass < 100; ++pass) {
    bool any = false;
    for (const Process& process : descendants_of(pid)) {
      if (process.state == 'Z' || waited_for().count(process.pid) != 0) continue;
      any = true;
      kill(process.pid, SIGKILL);
    }
    if (!any) break;
  }
  if (pid != getpid()) kill(pid, SIGKILL);
}

void reap_orphans() {
  for (const Process& process : descendants_of(getpid())) {
    if (process.parent == getpid() && process.state == 'Z' &&
        waited_for().count(process.pid) == 0) {
      waitpid(process.pid, nullptr, WNOHANG);
    }
  }
}

void keep_for_waiting(pid_t pid) { waited_for().insert(pid); }
void forget_waiting(pid_t pid) { waited_for().erase(pid); }
bool is_waited_for(pid_t pid) { return waited_for().count(pid) != 0; }

uint64_t context_switches(pid_t pid) {
  uint64_t sum = 0;
  for (const pid_t thread : numbers_in(proc_path(pid, "task"))) {
    const std::string path = proc_path(pid, "task/") + std::to_string(thread) + "/status";
    for (const std::string& line : lines_of(read_file(path))) {
      const size_t at = line.find("voluntary_ctxt_switches:");
      if (at != std::string::npos)
        sum += std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
    }
  }
  return sum;
}

}  // namespace flotilla::system_test
