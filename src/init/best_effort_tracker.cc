#include "init/best_effort_tracker.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <unordered_set>

namespace flotilla::init {
namespace {

constexpr int kMostPasses = 16;  // over what has appeared meanwhile

bool contains(std::span<const pid_t> pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

bool is_child(pid_t pid) noexcept {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// Of another process's children one may be missing while others end.
std::vector<pid_t> read_children_at_rest(const ProcessStat& process) {
  std::vector<pid_t> children;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    auto now = read_children(process);
    if (now.empty() || now == children) return now;
    children = std::move(now);
  }
  return children;
}

// The process and all below it; false if some of them were dead.
bool add_tree(pid_t root, std::vector<ProcessStat>& found) {
  bool are_all_alive = true;
  std::vector<pid_t> waiting{root};
  while (!waiting.empty()) {
    const pid_t pid = waiting.back();
    waiting.pop_back();
    const auto process = read_process_stat(pid);
    if (!process || process->is_dead()) {
      are_all_alive = false;
      continue;
    }
    found.push_back(*process);
    const std::vector<pid_t> below = read_children_at_rest(*process);
    waiting.insert(waiting.end(), below.begin(), below.end());
  }
  return are_all_alive;
}

}  // namespace

class BestEffortGroup final : public ProcessGroup {
 public:
  BestEffortGroup(BestEffortTracker& tracker, Callback<void()> on_empty)
      : tracker_(tracker), on_empty_(on_empty) {}
  ~BestEffortGroup() override { give_up_all(); }

  base::Result<int> prepare() override { return -1; }
  std::string cgroup_path() const override { return {}; }
  void add(pid_t pid) override {
    is_empty_ = false;
    if (contains(known_, pid)) return;
    known_.push_back(pid);
    tracker_.claim(pid);
    note_session(pid);
    if (!is_child(pid)) has_strangers_ = true;
  }
  base::Status attach(pid_t pid) override {
    add(pid);
    return {};
  }
  void forget(pid_t pid) noexcept override {
    const auto found = std::find(known_.begin(), known_.end(), pid);
    if (found == known_.end()) return;
    // A process that was just begun had not got to its session yet when it was added.
    note_session(pid);
    known_.erase(found);
    tracker_.ended_.push_back(pid);
    if (known_.empty() && !contains_waiting()) tracker_.waiting_.push_back(this);
  }
  void set_invocation(std::string_view id) override {
    is_empty_ = false;
    invocation_ = id.empty() ? std::string() : "INVOCATION_ID=" + std::string(id);
  }

  void pids(std::vector<pid_t>& out) const override {
    if (is_empty_) return;
    for (const ProcessStat& process : members(candidates())) out.push_back(process.pid);
  }
  bool is_populated() const override {
    const std::optional<bool> seen = is_populated_by_children();
    return seen ? *seen : is_populated_among(read_all_processes());
  }
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
    if (is_empty_) return 0;
    for (int pass = 0; pass < kMostPasses; ++pass) {
      bool is_new = false;
      for (const ProcessStat& process : members(candidates())) {
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
    give_up_all();
    known_.clear();
    sessions_.clear();
    invocation_.clear();
    has_strangers_ = false;
    return true;
  }

  bool is_populated_among(const std::vector<ProcessStat>& processes) const {
    is_empty_ = members(processes).empty();
    return !is_empty_;
  }
  // Without a look at every process of the machine; nothing where that does not tell.
  std::optional<bool> is_populated_by_children() const {
    if (is_empty_ || !has_marks()) return false;
    const auto is_alive = [](pid_t pid) {
      const auto process = read_process_stat(pid);
      return process && !process->is_dead();
    };
    if (std::any_of(known_.begin(), known_.end(), is_alive)) return true;
    const auto near = find_near();
    return near ? std::optional(is_populated_among(*near)) : std::nullopt;
  }
  void report_empty() const { on_empty_(); }

 private:
  bool has_marks() const { return !known_.empty() || !sessions_.empty() || !invocation_.empty(); }

  // What is told of, our children that are nobody's, and all below them: what else there is belongs
  // to others. Nothing where orphans may be elsewhere.
  std::optional<std::vector<ProcessStat>> find_near() const {
    if (has_strangers_) return std::nullopt;
    std::vector<pid_t> seen;
    for (int pass = 0; pass < kMostPasses; ++pass) {
      auto unclaimed = tracker_.unclaimed_children();
      if (!unclaimed) return std::nullopt;
      std::vector<ProcessStat> found;
      bool is_one_dead = false;
      for (const pid_t pid : known_) is_one_dead |= !add_tree(pid, found);
      for (const pid_t pid : *unclaimed) is_one_dead |= !add_tree(pid, found);
      // What was below one that was dead the last time has come to us before this time.
      if (!is_one_dead || (pass != 0 && *unclaimed == seen)) return found;
      seen = std::move(*unclaimed);
    }
    return std::nullopt;
  }
  std::vector<ProcessStat> candidates() const {
    if (!has_marks()) return {};
    auto near = find_near();
    return near ? std::move(*near) : read_all_processes();
  }

  void note_session(pid_t pid) {
    if (getsid(pid) == pid && !contains(sessions_, pid)) sessions_.push_back(pid);
  }
  void give_up_all() noexcept {
    for (const pid_t pid : known_) tracker_.give_up(pid);
    stop_waiting();
  }
  bool contains_waiting() const {
    return std::find(tracker_.waiting_.begin(), tracker_.waiting_.end(), this) !=
           tracker_.waiting_.end();
  }
  void stop_waiting() noexcept {
    auto& waiting = tracker_.waiting_;
    waiting.erase(std::remove(waiting.begin(), waiting.end(), this), waiting.end());
  }

  bool is_ours(const ProcessStat& process, pid_t self, pid_t keeper) const {
    if (contains(known_, process.pid) || contains(known_, process.session)) return true;
    if (contains(sessions_, process.session)) return true;
    // Only orphans: the others have a parent that tells whose they are.
    return !invocation_.empty() &&
           (process.parent == 1 || process.parent == self || process.parent == keeper) &&
           has_in_environment(process.pid, invocation_);
  }

  // Those of `processes` that are the unit's: by themselves first, then their descendants.
  std::vector<ProcessStat> members(const std::vector<ProcessStat>& processes) const {
    std::vector<ProcessStat> found;
    if (!has_marks()) return found;
    std::unordered_set<pid_t> pids;
    const pid_t self = getpid(), keeper = getppid();
    for (const ProcessStat& process : processes) {
      if (process.pid == self || process.pid == keeper || process.pid == 1) continue;
      if (!is_ours(process, self, keeper) || !pids.insert(process.pid).second) continue;
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
  mutable bool is_empty_ = false;  // was seen to be, and nothing has begun in it since
  bool has_strangers_ = false;     // was told of processes that are no children of ours
};

BestEffortTracker::~BestEffortTracker() = default;

std::unique_ptr<ProcessGroup> BestEffortTracker::make_group(std::string_view,
                                                            Callback<void()> on_empty) {
  return std::make_unique<BestEffortGroup>(*this, on_empty);
}

std::optional<std::vector<pid_t>> BestEffortTracker::unclaimed_children() {
  if (!has_all_orphans_) {
    // An earlier manager's have come to the keeper.
    int is_subreaper = 0;
    const auto siblings = read_children(getppid());
    has_all_orphans_ = prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper != 0 &&
                       siblings && *siblings == std::vector<pid_t>{getpid()};
  }
  if (!*has_all_orphans_) return std::nullopt;
  auto children = read_children(getpid());
  if (!children) return std::nullopt;
  const auto is_claimed = [this](pid_t pid) {
    return std::binary_search(claimed_.begin(), claimed_.end(), pid);
  };
  children->erase(std::remove_if(children->begin(), children->end(), is_claimed), children->end());
  return children;
}

void BestEffortTracker::claim(pid_t pid) {
  const auto place = std::lower_bound(claimed_.begin(), claimed_.end(), pid);
  if (place == claimed_.end() || *place != pid) claimed_.insert(place, pid);
}

void BestEffortTracker::give_up(pid_t pid) noexcept {
  const auto place = std::lower_bound(claimed_.begin(), claimed_.end(), pid);
  if (place != claimed_.end() && *place == pid) claimed_.erase(place);
}

void BestEffortTracker::check_empty() {
  for (const pid_t pid : ended_) give_up(pid);
  ended_.clear();
  if (waiting_.empty()) return;
  std::vector<ProcessStat> processes;
  const auto is_populated = [&](const BestEffortGroup& group) {
    const std::optional<bool> seen = group.is_populated_by_children();
    if (seen) return *seen;
    if (processes.empty()) processes = read_all_processes();
    return group.is_populated_among(processes);
  };
  std::vector<BestEffortGroup*> empty;
  for (BestEffortGroup* const group : waiting_) {
    if (!is_populated(*group)) empty.push_back(group);
  }
  for (BestEffortGroup* const group : empty) {
    const auto found = std::find(waiting_.begin(), waiting_.end(), group);
    if (found == waiting_.end()) continue;  // a callback before has ended it
    waiting_.erase(found);
    group->report_empty();
  }
}

}  // namespace flotilla::init
