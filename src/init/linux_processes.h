// Processes of the real world: exits by Children, signals by kill(2), /proc for the rest. Owned by
// the program; loop thread only.
#pragma once

#include <array>

#include "init/children.h"
#include "init/manager_options.h"

namespace flotilla::init {

class LinuxProcesses final : public Processes {
 public:
  explicit LinuxProcesses(Children& children) noexcept;

  void watch(ChildWatch& watch, pid_t pid) override { children_.watch(watch, pid); }
  void unwatch(ChildWatch& watch) noexcept override { children_.unwatch(watch); }
  int signal(pid_t pid, int signal) noexcept override;
  std::optional<ProcessInfo> inspect(pid_t pid) const override;
  bool is_ours(const ProcessInfo& info) const noexcept override;
  void fill_random(std::span<uint8_t> bytes) noexcept override;

 private:
  bool is_manager(pid_t pid) const noexcept { return pid == self_ || pid == keeper_; }

  Children& children_;
  // Random bytes ahead of need: one system call for many ids.
  std::array<uint8_t, 512> random_;
  size_t random_left_ = 0;
  pid_t self_;
  pid_t keeper_;
};

}  // namespace flotilla::init
