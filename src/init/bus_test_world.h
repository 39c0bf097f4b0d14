// A real Manager over fakes, served on a real socket by a real Loop, and the stock systemctl to try
// it with. Processes are the fake spawner's: they live until they are signalled.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/memory_file_tree.h"
#include "init/bus_facade.h"
#include "init/bus_loop.h"
#include "init/exit_code.h"
#include "init/fake_paths.h"
#include "init/fake_spawner.h"
#include "init/fake_tracker.h"
#include "init/manager_impl.h"

namespace flotilla::init {

struct CommandOutcome {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

class BusTestWorld {
 public:
  BusTestWorld() {
    char pattern[] = "/tmp/flotilla-facade-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    tree_.add_file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    tree_.add_file("/etc/group", "root:x:0:\n");
    tree_.add_file("/bin/true", "", 0755);
    ManagerOptions options;
    options.unit_directories = {{"/run/systemd/system.control", &tree_},
                                {"/run/systemd/transient", &tree_},
                                {"/run/systemd/system", &tree_},
                                {"/etc/systemd/system", &tree_}};
    manager_ = std::make_unique<Manager>(
        options, ManagerEdges{*loop_, spawner_, tracker_, processes_, tree_, tree_, *state_,
                              nullptr, logs_, host_, paths_});
    host_.world = this;
  }
  ~BusTestWorld() {
    facade_.reset();
    manager_.reset();
    std::filesystem::remove_all(directory_);
  }

  void add_unit(const std::string& name, const std::string& text) {
    tree_.add_file("/etc/systemd/system/" + name, text);
  }
  void add_service(const std::string& name) {
    add_unit(name, "[Unit]\nDescription=The " + name +
                       "\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n");
  }

  // From here on clients may come.
  void serve(bus::ServerLimits limits = {}) {
    base::Result<base::Fd> listening = listen_for_bus(socket_path());
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    facade_ = std::make_unique<BusFacade>(
        bus_loop_, *manager_, std::move(*listening),
        [this](const std::string& line) { log.push_back(line); }, limits);
  }

  // As if the manager had died: connections break and nobody listens.
  void stop_serving() {
    facade_.reset();
    ::unlink(socket_path().c_str());
  }

  std::string runtime_directory() const { return directory_ + "/run"; }
  std::string socket_path() const { return runtime_directory() + "/systemd/private"; }
  Manager& manager() { return *manager_; }
  BusFacade& facade() { return *facade_; }
  base::EventLoop& event_loop() { return bus_loop_; }
  FakeSpawner& spawner() { return spawner_; }
  base::MemoryFileTree& tree() { return tree_; }

  bool run_until(const std::function<bool()>& condition) {
    const base::MonotonicTime end = loop_->clock().monotonic() + kLimit;
    while (!condition()) {
      if (loop_->clock().monotonic() > end) return false;
      if (!loop_->turn(base::Micros(100'000))) return false;
      reap();
    }
    return true;
  }

  // Runs the machine's own systemctl against the served manager.
  CommandOutcome systemctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/usr/bin/systemctl", "--user", "--no-pager"});
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::vector<std::string> environment = {"XDG_RUNTIME_DIR=" + runtime_directory(),
                                            "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"};
    std::vector<char*> envp;
    envp.reserve(environment.size() + 1);
    for (std::string& variable : environment) envp.push_back(variable.data());
    envp.push_back(nullptr);
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    base::Fd out(ends[0]);
    base::Fd in(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.get(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, in.get(), 2);
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data());
    ::posix_spawn_file_actions_destroy(&actions);
    in.reset();
    EXPECT_EQ(failed, 0);
    if (failed != 0) return {};
    return wait_for_end(pid, out.get());
  }

  std::vector<std::string> log;

 private:
  static constexpr base::Micros kLimit{30'000'000};

  CommandOutcome wait_for_end(pid_t pid, int out) {
    CommandOutcome outcome;
    bool ended = false;
    base::RegistrationPtr watch = bus_loop_.watch(out, EPOLLIN, [&](uint32_t) {
      std::array<char, 4096> buffer;
      ssize_t size = 0;
      while ((size = ::read(out, buffer.data(), buffer.size())) > 0) {
        outcome.output.append(buffer.data(), static_cast<size_t>(size));
      }
      ended = size == 0;
    });
    EXPECT_TRUE(run_until([&] { return ended; })) << outcome.output;
    watch.reset();
    if (!ended) ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }

  // Gives every process that was signalled its end.
  void reap() {
    for (auto& [path, group] : tracker_.groups) {
      for (const auto& [pid, signal] : std::exchange(group.signals, {})) end(pid, signal);
    }
    for (const auto& [pid, signal] : std::exchange(processes_.signals, {})) end(pid, signal);
    // Children that could not become the program exit with the code of the step that failed.
    for (; reaped_spawns_ < spawner_.spawned().size(); ++reaped_spawns_) {
      const FakeSpawner::Spawned& spawned = spawner_.spawned()[reaped_spawns_];
      if (spawned.stage == SpawnStage::kNone) continue;
      tracker_.process_gone(spawned.pid);
      processes_.table.deliver(
          {spawned.pid, CLD_EXITED, static_cast<int>(exit_code_of(spawned.stage)), 0});
    }
  }
  void end(pid_t pid, int signal) {
    if (signal == SIGCONT || signal == 0) return;
    tracker_.process_gone(pid);
    processes_.table.deliver({pid, CLD_KILLED, signal, 0});
  }

  struct FakeProcesses final : Processes {
    void watch(ChildWatch& watch, pid_t pid) override { table.insert(watch, pid); }
    void unwatch(ChildWatch& watch) noexcept override { table.remove(watch); }
    int signal(pid_t pid, int signal) noexcept override {
      signals.emplace_back(pid, signal);
      return 0;
    }
    std::optional<ProcessInfo> inspect(pid_t) const override { return ProcessInfo{}; }
    bool is_ours(const ProcessInfo&) const noexcept override { return true; }
    void fill_random(std::span<uint8_t> bytes) noexcept override {
      for (uint8_t& byte : bytes) byte = ++last_random;
    }
    ProcessTable table;
    std::vector<std::pair<pid_t, int>> signals;
    uint8_t last_random = 0;
  };
  struct FakeLogs final : UnitLogs {
    base::Result<Fds> open_streams(const Request&) override { return Fds{1, 2}; }
    void close_streams(std::string_view) noexcept override {}
    void set_pid(std::string_view, pid_t) noexcept override {}
    void message(std::string_view, int, std::string_view) override {}
  };
  struct Host final : ManagerHost {
    void request_turn() noexcept override {
      if (world != nullptr) world->loop_->defer(world->turn_);
    }
    void finish(FinalAction, int exit_code) override { finished = exit_code; }
    BusTestWorld* world = nullptr;
    int finished = -1;
  };

  void run_turn() { manager_->impl().run_turn(); }

  std::string directory_;
  size_t reaped_spawns_ = 0;
  std::unique_ptr<Loop> loop_ = std::move(Loop::create()).value();
  Deferred turn_{Callback<void()>::to<&BusTestWorld::run_turn>(*this)};
  BusLoop bus_loop_{*loop_};
  base::MemoryFileTree tree_;
  FakeSpawner spawner_;
  FakeTracker tracker_;
  FakeProcesses processes_;
  FakeLogs logs_;
  FakePaths paths_;
  Host host_;
  std::unique_ptr<StateFile> state_ = std::move(StateFile::in_memory()).value();
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<BusFacade> facade_;
};

}  // namespace flotilla::init
