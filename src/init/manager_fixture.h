// A manager on fakes alone, in virtual time: the world of manager_*_test.cc. A second "process" of
// the manager over the same state bytes is restart_manager().
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/memory_file_tree.h"
#include "init/fake_paths.h"
#include "init/fake_spawner.h"
#include "init/fake_tracker.h"
#include "init/manager.h"
#include "init/manager_impl.h"
#include "init/virtual_timers.h"

namespace flotilla::init {

class FakeProcesses final : public Processes {
 public:
  explicit FakeProcesses(FakeTracker& tracker) : tracker_(tracker) {}
  void watch(ChildWatch& watch, pid_t pid) override { table.insert(watch, pid); }
  void unwatch(ChildWatch& watch) noexcept override { table.remove(watch); }
  int signal(pid_t pid, int signal) noexcept override {
    signals.emplace_back(pid, signal);
    return lives(pid) ? 0 : ESRCH;
  }
  std::optional<ProcessInfo> inspect(pid_t pid) const override {
    if (!lives(pid)) return std::nullopt;
    return ProcessInfo{1, {}};
  }
  bool is_ours(const ProcessInfo&) const noexcept override { return true; }
  void fill_random(std::span<uint8_t> bytes) noexcept override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(++random_);
  }

  bool lives(pid_t pid) const {
    if (foreign.count(pid) != 0) return true;
    for (const auto& [path, group] : tracker_.groups) {
      if (group.pids.count(pid) != 0) return true;
    }
    return false;
  }
  // The process ends; its watcher hears of it, and then the group.
  void exit(pid_t pid, int code, int status) {
    for (auto& [path, group] : tracker_.groups) group.pids.erase(pid);
    table.deliver({pid, code, status, 0});
    for (auto& [path, group] : tracker_.groups) {
      if (group.pids.empty() && group.prepared) group.on_empty();
    }
  }
  std::set<pid_t> foreign;  // that are alive, and of no unit
  size_t count(pid_t pid, int signal) const {
    size_t n = 0;
    for (const auto& sent : signals) n += sent == std::pair(pid, signal) ? 1 : 0;
    return n;
  }

  std::vector<std::pair<pid_t, int>> signals;
  ProcessTable table;

 private:
  FakeTracker& tracker_;
  uint64_t random_ = 0;
};

class FakeLogs final : public UnitLogs {
 public:
  base::Result<Fds> open_streams(const Request& request) override {
    open[std::string(request.unit)] = true;
    identifiers[std::string(request.unit)] = request.identifier;
    return Fds{100, 100};
  }
  void close_streams(std::string_view unit) noexcept override { open.erase(std::string(unit)); }
  void set_pid(std::string_view, pid_t) noexcept override {}
  void message(std::string_view unit, int, std::string_view text) override {
    lines.push_back(std::string(unit) + "|" + std::string(text));
  }
  bool has(std::string_view part) const {
    for (const std::string& line : lines) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::map<std::string, bool> open;
  std::map<std::string, std::string> identifiers;
  std::vector<std::string> lines;
};

class ManagerTest : public ::testing::Test, public ManagerHost {
 protected:
  ManagerTest() {
    state_bytes_.reset(memfd_create("state", MFD_CLOEXEC));
    EXPECT_TRUE(tree_.make_directories("/etc/systemd/system", 0755));
  }

  void request_turn() noexcept override { turn_requested_ = true; }
  void finish(FinalAction action, int code) override { finished_ = {action, code}; }

  void unit(const std::string& name, const std::string& text) {
    tree_.add_file("/etc/systemd/system/" + name, text);
  }
  void make_manager() {
    std::vector<std::string> problems;
    auto state = StateFile::open(base::Fd(dup(state_bytes_.get())), BootId{1}, problems);
    ASSERT_TRUE(state) << state.error().message;
    ASSERT_EQ(problems, std::vector<std::string>());
    state_ = std::move(*state);
    ManagerOptions options;
    options.unit_directories = {{"/run/systemd/system.control", &tree_},
                                {"/run/systemd/transient", &tree_},
                                {"/etc/systemd/system", &tree_},
                                {"/run/systemd/generator", &tree_}};
    options.host_values = unit::HostValues::of_system_manager();
    options.environment = {"PATH=/usr/bin"};
    options.notify_socket = "/run/systemd/notify";
    manager_ = std::make_unique<Manager>(
        std::move(options),
        ManagerEdges{timers_, spawner_, tracker_, processes_, tree_, tree_, *state_, side_, logs_,
                     *this, paths_, keeper_, helper_, links_});
  }
  void boot() {
    make_manager();
    manager_->impl().boot();
    settle();
  }
  // The process dies and another takes its place; services live on.
  void restart_manager() {
    manager_.reset();
    state_.reset();
    turn_requested_ = false;
    make_manager();
    ASSERT_TRUE(manager_->impl().adopt());
    manager_->impl().look_for_gone_processes();
    settle();
  }
  void settle() {
    while (turn_requested_) {
      turn_requested_ = false;
      manager_->impl().run_turn();
    }
  }
  void advance(Micros by) {
    const auto end = timers_.clock().monotonic() + by;
    while (timers_.advance_to_next(end - timers_.clock().monotonic())) settle();
    timers_.advance(end - timers_.clock().monotonic());
    settle();
  }
  uint32_t ask(const std::string& name, const std::string& type) {
    auto id = manager_->enqueue_job(name, type, "replace");
    EXPECT_TRUE(id) << id.error().message;
    settle();
    return id ? *id : 0;
  }
  void exit(pid_t pid, int code, int status) {
    processes_.exit(pid, code, status);
    settle();
  }
  void notify(pid_t pid, std::string_view text) {
    manager_->impl().on_notify({pid, 0}, parse_notify(text));
    settle();
  }
  std::string state_of(const std::string& name) {
    const Unit* found = manager_->find_unit(name);
    if (found == nullptr) return "not loaded";
    return std::string(found->active_state()) + "/" + std::string(found->sub_state());
  }
  std::string result_of(const std::string& name) {
    const Unit* found = manager_->find_unit(name);
    return found == nullptr ? "not loaded" : std::string(found->result());
  }
  pid_t main_pid(const std::string& name) { return manager_->find_unit(name)->main_pid(); }

  base::Fd state_bytes_;
  base::MemoryFileTree tree_;
  VirtualTimers timers_;
  FakeSpawner spawner_;
  FakeTracker tracker_;
  FakeProcesses processes_{tracker_};
  FakeLogs logs_;
  FakePaths paths_;
  StateSideFile* side_ = nullptr;  // of tests that have them
  KeeperPort* keeper_ = nullptr;
  ExecHelper* helper_ = nullptr;
  const UnitLinks* links_ = nullptr;
  std::unique_ptr<StateFile> state_;
  std::unique_ptr<Manager> manager_;
  bool turn_requested_ = false;
  std::optional<std::pair<FinalAction, int>> finished_;
};

}  // namespace flotilla::init
