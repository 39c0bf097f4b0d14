#include "init/fake_spawner.h"

#include <utility>

namespace flotilla::init {
namespace {

std::vector<std::string> copy_strings(const char* const* strings) {
  std::vector<std::string> copy;
  for (; strings != nullptr && *strings != nullptr; ++strings) copy.emplace_back(*strings);
  return copy;
}

std::string copy_string(const char* text) { return text != nullptr ? text : ""; }

}  // namespace

std::string FakeSpawner::Spawned::variable(const std::string& name) const {
  std::string value;
  for (const std::string& assignment : environment) {
    if (assignment.rfind(name + "=", 0) == 0) value = assignment.substr(name.size() + 1);
  }
  return value;
}

SpawnResult FakeSpawner::spawn(const ExecSpec& spec) noexcept {
  if (before_clone) before_clone();
  Failure failure{spec.fail_stage, spec.fail_error};
  const std::string path = copy_string(spec.path);
  if (failure.stage != SpawnStage::kNone) {
    // It is told to fail.
  } else if (const auto found = failing_paths_.find(path); found != failing_paths_.end()) {
    failure = found->second;
  } else if (!failures_.empty()) {
    failure = failures_.front();
    failures_.pop_front();
  }
  SpawnResult result;
  result.stage = failure.stage;
  result.error = failure.error;
  if (failure.stage != SpawnStage::kClone) {
    result.pid = next_pid_++;
    if (spec.pid_location != nullptr) *spec.pid_location = result.pid;
    for (char* const place : spec.pid_texts) {
      if (place == nullptr) continue;
      const std::string text = std::to_string(result.pid);
      text.copy(place, text.size());
      place[text.size()] = '\0';
    }
  }

  Spawned spawned;
  spawned.pid = result.pid;
  spawned.path = path;
  spawned.argv = copy_strings(spec.argv);
  spawned.environment = copy_strings(spec.environment);
  spawned.working_directory = copy_string(spec.working_directory);
  spawned.root = copy_string(spec.root);
  spawned.uid = spec.uid;
  spawned.gid = spec.gid;
  if (spec.set_groups) spawned.groups.assign(spec.groups, spec.groups + spec.group_count);
  spawned.stdin_fd = spec.stdin_fd;
  spawned.stdout_fd = spec.stdout_fd;
  spawned.stderr_fd = spec.stderr_fd;
  spawned.passed_fds.assign(spec.passed_fds, spec.passed_fds + spec.passed_fd_count);
  spawned.limits.assign(spec.limits, spec.limits + spec.limit_count);
  spawned.umask = spec.umask;
  spawned.nice = spec.nice;
  spawned.oom_score_adjust = spec.oom_score_adjust;
  spawned.no_new_privileges = spec.no_new_privileges;
  spawned.cgroup_fd = spec.cgroup_fd;
  spawned.stage = failure.stage;
  spawned_.push_back(std::move(spawned));
  if (after_clone) after_clone();
  return result;
}

void FakeSpawner::fail_next(SpawnStage stage, int error) { failures_.push_back({stage, error}); }

void FakeSpawner::fail_path(const std::string& path, SpawnStage stage, int error) {
  failing_paths_[path] = {stage, error};
}

const FakeSpawner::Spawned* FakeSpawner::find(const std::string& path) const {
  for (auto it = spawned_.rbegin(); it != spawned_.rend(); ++it) {
    if (it->path == path) return &*it;
  }
  return nullptr;
}

}  // namespace flotilla::init
