// A ProcessTracker that is told which processes there are, for tests of the manager without any.
#pragma once

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "init/process_tracker.h"

namespace flotilla::init {

class FakeTracker final : public ProcessTracker {
 public:
  struct Group {
    std::set<pid_t> pids;
    std::vector<std::pair<pid_t, int>> signals;  // every one sent, in order
    bool prepared = false;
    bool frozen = false;
    std::function<void()> on_frozen;
    Callback<void()> on_empty;
  };

  explicit FakeTracker(TrackingKind kind = TrackingKind::kCgroup) noexcept : kind_(kind) {}
  TrackingKind kind() const noexcept override { return kind_; }
  std::unique_ptr<ProcessGroup> make_group(std::string_view path,
                                           Callback<void()> on_empty) override {
    Group& group = groups[std::string(path)];
    group.on_empty = on_empty;
    return std::make_unique<FakeGroup>(group, std::string(path), kind_);
  }

  void make_ahead(std::string_view path) override { ahead = path; }

  std::string read_file(std::string_view path, const char* name) const override {
    const auto group = groups.find(std::string(path));
    if (group == groups.end() || std::string_view(name) != "cgroup.procs") return {};
    std::string lines;
    for (const pid_t pid : group->second.pids) lines += std::to_string(pid) + "\n";
    return lines;
  }
  base::Status freeze(std::string_view path, bool frozen, std::function<void()> done) override {
    Group& group = groups[std::string(path)];
    group.frozen = frozen;
    group.on_frozen = std::move(done);
    if (!freezing_takes_time) finish_freezing(path);
    return {};
  }
  void finish_freezing(std::string_view path) {
    if (const auto done = std::exchange(groups[std::string(path)].on_frozen, nullptr)) done();
  }

  // Takes the process out of its group and says so if that was the last.
  void process_gone(pid_t pid) {
    for (auto& [path, group] : groups) {
      if (group.pids.erase(pid) != 0 && group.pids.empty()) group.on_empty();
    }
  }

  std::string ahead;                    // what make_ahead() was last asked for
  bool freezing_takes_time = false;     // until finish_freezing()
  std::map<std::string, Group> groups;  // by path; a group outlives its ProcessGroup

 private:
  class FakeGroup final : public ProcessGroup {
   public:
    FakeGroup(Group& group, std::string path, TrackingKind kind)
        : group_(group), path_(std::move(path)), kind_(kind) {}
    ~FakeGroup() override { group_.on_empty = {}; }
    base::Result<int> prepare() override {
      group_.prepared = true;
      return -1;
    }
    std::string cgroup_path() const override {
      return kind_ == TrackingKind::kCgroup && group_.prepared ? "/" + path_ : std::string();
    }
    void add(pid_t pid) override { group_.pids.insert(pid); }
    base::Status attach(pid_t pid) override {
      group_.pids.insert(pid);
      return {};
    }
    void forget(pid_t pid) noexcept override { group_.pids.erase(pid); }
    void set_invocation(std::string_view) override {}
    void pids(std::vector<pid_t>& out) const override {
      out.insert(out.end(), group_.pids.begin(), group_.pids.end());
    }
    bool is_populated() const override { return !group_.pids.empty(); }
    bool watch_until_empty() override { return is_populated(); }
    size_t signal(int signal, std::span<const pid_t> except) override {
      size_t reached = 0;
      for (const pid_t pid : group_.pids) {
        if (std::find(except.begin(), except.end(), pid) != except.end()) continue;
        group_.signals.emplace_back(pid, signal);
        ++reached;
      }
      return reached;
    }
    bool release() noexcept override {
      group_.prepared = false;
      return group_.pids.empty();
    }

   private:
    Group& group_;
    std::string path_;
    TrackingKind kind_;
  };

  TrackingKind kind_;
};

}  // namespace flotilla::init
