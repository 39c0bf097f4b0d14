#include "init/best_effort_tracker.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <unordered_set>

namespace flotilla::init {
namespace {

constexpr int kMostPasses = 16;  // of signalling what has appeared meanwhile

bool contains(std::span<const pid_t> pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

}  // namespace

class BestEffortGroup final : public ProcessGroup {
 public:
  BestEffortGroup(BestEffortTracker& tracker, Callback<void()> on_empty)
      : tracker_(tracker), on_empty_(on_empty) {}
  ~BestEffortGroup() override { stop_waiting(); }

  base::Result<int> prepare() override { return -1; }
  std::string cgroup_path() const override { return {}; }
  void add(pid_t pid) override {
    if (contains(known_, pid)) return;
    known_.push_back(pid);
    if (getsid(pid) == pid) sessions_.push_back(pid);
  }
  base::Status attach(pid_t pid) override {
    add(pid);
    return {};
  }
  void forget(pid_t pid) noexcept override {
    const auto found = std::find(known_.begin(), known_.end(), pid);
    if (found == known_.end()) return;
    known_.erase(found);
    if (known_.empty() && !contains_waiting()) tracker_.waiting_.push_back(this);
  }
  void set_invocation(std::string_view id) override {
    invocation_ = id.empty() ? std::string() : "INVOCATION_ID=" + std::string(id);
  }

  void pids(std::vector<pid_t>& out) const override {
    for (const ProcessStat& process : members(read_all_processes())) out.push_back(process.pid);
  }
  bool is_populated() const override { return is_populated_among(read_all_processes()); }
  bool watch_until_empty() override {
    const bool is_populated_now = is_populated();
    // An earlier manager's, whose processes have lost their parents.
    if (is_populated_now && known_.empty() && !contains_waiting()) {
      tracker_.waiting_.push_back(this);
    }
    return is_populated_now;
  }
  size_t signal(int signal, std::span<const pid_t> except) override {
    std::unordered_set<pid_t> signalled;
    for (int pass = 0; pass < kMostPasses; ++pass) {
      bool is_new = false;
      for (const ProcessStat& process : members(read_all_processes())) {
        if (contains(except, process.pid) || signalled.count(process.pid) != 0) continue;
        if (!signal_process(process, signal)) continue;
        signalled.insert(process.pid);
        is_new = true;
      }
      if (!is_new) break;
    }
    return signalled.size();
  }
  bool release() noexcept override {
    known_.clear();
    sessions_.clear();
    invocation_.clear();
    stop_waiting();
    return true;
  }

  bool is_populated_among(const std::vector<ProcessStat>& processes) const {
    return !members(processes).empty();
  }
  void report_empty() const { on_empty_(); }

 private:
  bool contains_waiting() const {
    return std::find(tracker_.waiting_.begin(), tracker_.waiting_.end(), this) !=
           tracker_.waiting_.end();
  }
  void stop_waiting() noexcept {
    auto& waiting = tracker_.waiting_;
    waiting.erase(std::remove(waiting.begin(), waiting.end(), this), waiting.end());
  }

  // Those of `processes` that are the unit's: by themselves first, then their descendants.
  std::vector<ProcessStat> members(const std::vector<ProcessStat>& processes) const {
    std::vector<ProcessStat> found;
    if (known_.empty() && sessions_.empty() && invocation_.empty()) return found;
    std::unordered_set<pid_t> pids;
    const pid_t self = getpid(), keeper = getppid();
    for (const ProcessStat& process : processes) {
      if (process.pid == self || process.pid == keeper || process.pid == 1) continue;
      const bool ours =
          contains(known_, process.pid) || contains(sessions_, process.session) ||
          // Only orphans: the others have a parent that tells whose they are.
          (!invocation_.empty() &&
           (process.parent == 1 || process.parent == self || process.parent == keeper) &&
           has_in_environment(process.pid, invocation_));
      if (!ours || !pids.insert(process.pid).second) continue;
      found.push_back(process);
    }
    for (bool is_new = !pids.empty(); is_new;) {
      is_new = false;
      for (const ProcessStat& process : processes) {
        if (pids.count(process.parent) == 0 || pids.count(process.pid) != 0) continue;
        pids.insert(process.pid);
        found.push_back(process);
        is_new = true;
      }
    }
    return found;
  }

  BestEffortTracker& tracker_;
  Callback<void()> on_empty_;
  std::vector<pid_t> known_;
  std::vector<pid_t> sessions_;  // begun by processes of ours, also those that are gone
  std::string invocation_;
};

BestEffortTracker::~BestEffortTracker() = default;

std::unique_ptr<ProcessGroup> BestEffortTracker::make_group(std::string_view,
                                                            Callback<void()> on_empty) {
  return std::make_unique<BestEffortGroup>(*this, on_empty);
}

void BestEffortTracker::check_empty() {
  if (waiting_.empty()) return;
  const std::vector<ProcessStat> processes = read_all_processes();
  std::vector<BestEffortGroup*> empty;
  for (BestEffortGroup* const group : waiting_) {
    if (!group->is_populated_among(processes)) empty.push_back(group);
  }
  for (BestEffortGroup* const group : empty) {
    const auto found = std::find(waiting_.begin(), waiting_.end(), group);
    if (found == waiting_.end()) continue;  // a callback before has ended it
    waiting_.erase(found);
    group->report_empty();
  }
}

}  // namespace flotilla::init
