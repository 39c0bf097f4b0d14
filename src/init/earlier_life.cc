#include "init/earlier_life.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "base/rooted_file_tree.h"

namespace flotilla::init {
namespace {

using base::Micros;
using base::MonotonicTime;

constexpr useconds_t kPauseUsec = 10'000;
constexpr Micros kKillLimit{1'000'000};
// Between the clock's reading at a spawn and the kernel's, which counts in hundredths of a second.
constexpr Micros kStartTolerance{100'000};
constexpr size_t kMaxPidsBytes = size_t{32} << 20;  // more than there can be processes

bool was_started_at(const ProcessStat& process, MonotonicTime time) {
  static const int64_t ticks = sysconf(_SC_CLK_TCK);
  const Micros started(static_cast<int64_t>(process.start_ticks) * (1'000'000 / ticks));
  const Micros apart = started - time.since_epoch;
  return apart < kStartTolerance && -apart < kStartTolerance;
}

// This process, its parent, and so on.
std::set<pid_t> read_ancestry() {
  std::set<pid_t> ancestry;
  for (pid_t pid = getpid(); pid > 0;) {
    if (!ancestry.insert(pid).second) break;
    const auto stat = read_process_stat(pid);
    pid = stat ? stat->parent : 0;
  }
  return ancestry;
}

// The cgroup and all below, each behind the one that it is in.
std::vector<std::string> directories_of(const base::FileTree& host, const std::string& cgroup) {
  std::vector<std::string> paths;
  if (cgroup.empty() || !host.list(cgroup)) return paths;
  paths.push_back(cgroup);
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string path = paths[i];
    for (const base::DirectoryEntry& entry : host.list(path).value_or({})) {
      if (entry.kind == base::FileKind::kDirectory) paths.push_back(path + "/" + entry.name);
    }
  }
  return paths;
}

std::vector<ProcessStat> processes_in(const base::FileTree& host, const std::string& cgroup) {
  std::vector<pid_t> pids;
  std::vector<ProcessStat> found;
  for (const std::string& path : directories_of(host, cgroup)) {
    add_pids(host.read(path + "/cgroup.procs", kMaxPidsBytes).value_or(""), pids);
  }
  for (const pid_t pid : pids) {
    const auto stat = read_process_stat(pid);
    if (stat && !stat->is_dead()) found.push_back(*stat);
  }
  return found;
}

bool lives(const ProcessStat& process) {
  const auto now = read_process_stat(process.pid);
  return now && !now->is_dead() && now->start_ticks == process.start_ticks;
}

void wait_for_end(std::map<pid_t, ProcessStat>& processes, Micros limit) {
  for (Micros waited{0};; waited += Micros(kPauseUsec)) {
    for (auto at = processes.begin(); at != processes.end();) {
      at = lives(at->second) ? std::next(at) : processes.erase(at);
    }
    if (processes.empty() || waited >= limit) return;
    usleep(kPauseUsec);
  }
}

std::string to_hex(const std::array<uint8_t, 16>& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

EarlierLife EarlierLife::of(const StateFile& state) {
  EarlierLife life;
  life.keeper = state.manager().keeper_pid;
  for (const StateFile::SlotId slot : state.used_slots()) {
    const UnitRecord& record = state.record(slot);
    if (record.invocation_id != std::array<uint8_t, 16>{}) {
      life.invocations.insert(to_hex(record.invocation_id));
    }
    const auto add = [&](const ProcessIdentity& process, const CommandRecord& run) {
      if (process.pid <= 0 || process.pid != run.pid) return;
      life.processes.emplace_back(process.pid, MonotonicTime{Micros(run.start.monotonic_usec)});
    };
    add(record.main_process, record.main_run);
    add(record.control_process, record.control_run);
  }
  return life;
}

std::vector<ProcessStat> find_left_over(const EarlierLife& life,
                                        const std::vector<ProcessStat>& all) {
  const std::set<pid_t> ancestry = read_ancestry();
  std::vector<ProcessStat> found;
  for (const ProcessStat& process : all) {
    if (ancestry.count(process.pid) != 0) continue;
    const bool is_known =
        std::any_of(life.processes.begin(), life.processes.end(), [&](const auto& known) {
          return known.first == process.pid && was_started_at(process, known.second);
        });
    if (is_known ||
        life.invocations.count(find_in_environment(process.pid, "INVOCATION_ID")) != 0) {
      found.push_back(process);
    }
  }
  return found;
}

size_t end_earlier_life(const EarlierLife& life, const std::string& cgroup, Micros grace) {
  std::map<pid_t, ProcessStat> signalled;
  size_t count = 0;
  const auto opened = base::RootedFileTree::open("/");
  if (!opened) return 0;
  const base::FileTree& host = **opened;
  const auto signal_all = [&](int signal) {
    std::vector<ProcessStat> all = find_left_over(life, read_all_processes());
    const std::vector<ProcessStat> members = processes_in(host, cgroup);
    all.insert(all.end(), members.begin(), members.end());
    for (const ProcessStat& process : all) {
      if (!signalled.emplace(process.pid, process).second) continue;
      signal_process(process, signal);
      if (signal != SIGKILL) signal_process(process, SIGCONT);
    }
  };
  signal_all(SIGTERM);
  count = signalled.size();
  wait_for_end(signalled, grace);
  signalled.clear();
  // Those that have stayed, and what they have started since.
  signal_all(SIGKILL);
  wait_for_end(signalled, kKillLimit);
  std::vector<std::string> paths = directories_of(host, cgroup);
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) rmdir(path->c_str());
  return count;
}

}  // namespace flotilla::init
