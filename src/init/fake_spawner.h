// A Spawner without processes: it hands out pids, remembers what it was asked for, and fails on
// request. Stands beside spawner.h.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "init/spawner.h"

namespace flotilla::init {

class FakeSpawner final : public Spawner {
 public:
  // What a spec said, in values that last.
  struct Spawned {
    pid_t pid = -1;
    std::string path;
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string working_directory;
    std::string root;
    uint32_t uid = ExecSpec::kKeepId;
    uint32_t gid = ExecSpec::kKeepId;
    std::vector<gid_t> groups;
    int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
    std::vector<int> passed_fds;
    std::vector<ResourceLimit> limits;
    int umask = ExecSpec::kKeep;
    int nice = ExecSpec::kKeep;
    int oom_score_adjust = ExecSpec::kKeep;
    bool no_new_privileges = false;
    int cgroup_fd = -1;
    SpawnStage stage = SpawnStage::kNone;

    // Value of an environment variable; empty where it is not set.
    std::string variable(const std::string& name) const;
  };

  SpawnResult spawn(const ExecSpec& spec) noexcept override;

  // The next spawn (of this program) fails at `stage`; calls queue up.
  void fail_next(SpawnStage stage, int error);
  void fail_path(const std::string& path, SpawnStage stage, int error);

  // Called in the middle of each spawn, before the process is there and when its pid has been
  // written: what a manager that is killed just then leaves behind can be looked at.
  std::function<void()> before_clone, after_clone;

  const std::vector<Spawned>& spawned() const { return spawned_; }
  // The last spawn, which must be there.
  const Spawned& last() const { return spawned_.back(); }
  // The last spawn of a program; null where it was never spawned.
  const Spawned* find(const std::string& path) const;
  void clear() { spawned_.clear(); }

 private:
  struct Failure {
    SpawnStage stage;
    int error;
  };
  pid_t next_pid_ = 1000;
  std::vector<Spawned> spawned_;
  std::deque<Failure> failures_;
  std::map<std::string, Failure> failing_paths_;
};

}  // namespace flotilla::init
