// The inside of manager_program.h: everything the manager stands on, in the order in which it is
// made. manager_program.cc makes it and ends it, manager_program_signals.cc has what signals ask
// for.
#pragma once

#include <sys/resource.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rooted_file_tree.h"
#include "init/bus_facade.h"
#include "init/bus_loop.h"
#include "init/children.h"
#include "init/keeper_link.h"
#include "init/linux_exec_helper.h"
#include "init/linux_processes.h"
#include "init/linux_spawner.h"
#include "init/log_streams.h"
#include "init/loop_signals.h"
#include "init/manager_impl.h"
#include "init/manager_program.h"

namespace flotilla::init {

// After this long without work it gives back the memory that it does not need to wait.
inline constexpr base::Micros kRestDelay{200'000};

class ManagerProgram final : public ManagerHost {
 public:
  ManagerProgram(ProgramOptions options, int link_fd)
      : options_(std::move(options)),
        keeper_(base::Fd(link_fd)),
        turn_(Callback<void()>::to<&ManagerProgram::on_turn>(*this)),
        rest_(Callback<void()>::to<&ManagerProgram::on_rest>(*this)) {}

  base::Result<int> run();

  void request_turn() noexcept override { loop_->defer(turn_); }
  void on_spawn() override { keep_sockets(); }
  void finish(FinalAction action, int exit_code) override;
  base::Status watch(FdSource& source, int fd, uint32_t events) override {
    return loop_->watch(source, fd, events);
  }
  void remove_file(const std::string& path) override;
  KeeperLink& keeper() noexcept { return keeper_; }
  bool is_first() const noexcept { return start_number_ == 0; }

 private:
  base::Status open_trees();
  base::Status open_runtime();
  base::Result<std::unique_ptr<StateFile>> open_state(const std::string& path, const BootId& boot);
  void end_life_before();
  base::Status make_edges();
  void make_helper();
  void take_inheritance();
  base::Status make_manager();
  base::Status open_bus();
  void keep_sockets();
  base::Status watch_signals();

  ManagerOptions manager_options();
  const std::string& runtime_host_path() const { return runtime_on_host_; }

  void on_turn();
  void rest_soon() noexcept { loop_->arm_after(rest_, kRestDelay); }
  void on_rest();
  void on_signal(const signalfd_siginfo& info);
  void on_pid1_signal(int signal);
  void on_keeper_exit(const KeeperExit& exit);
  void on_keeper_gone();
  void on_notify_problem(std::string_view text) { manager_->impl().log(4, text); }
  void before_exits();
  void on_unknown_exit(const ChildExit& exit);
  void start(const std::string& unit, std::string_view mode);
  void remove_cgroups();

  ProgramOptions options_;
  bool is_pid1_ = false;
  std::string runtime_ = "/run";  // inside the tree
  std::string boot_id_;
  std::string runtime_on_host_;  // the same, outside of it, once it is there
  rlimit inherited_descriptors_{};
  std::string tracking_reason_;
  std::vector<std::string> problems_;
  std::vector<KeptFd> to_keep_;  // what the keeper is still to get

  std::unique_ptr<base::RootedFileTree> tree_, host_;
  std::unique_ptr<Loop> loop_;
  KeeperLink keeper_;
  KeeperLink::Inheritance inheritance_;
  Deferred turn_;
  Timer rest_;  // after the boot and after the last bus client: what they needed is given back
  bool has_booted_ = false;
  std::unique_ptr<Children> children_;
  std::unique_ptr<LinuxProcesses> processes_;
  std::unique_ptr<LinuxSpawner> spawner_;
  std::unique_ptr<ProcessTracker> tracker_;
  std::unique_ptr<StateFile> state_;
  std::unique_ptr<StateSideFile> side_;
  std::unique_ptr<NotifySocket> notify_;
  std::unique_ptr<InotifyPaths> paths_;
  std::unique_ptr<LogStreams> logs_;
  std::unique_ptr<UnitLinks> links_;
  std::unique_ptr<UserDb> users_;
  std::unique_ptr<LinuxExecHelper> helper_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<SignalSource> signals_;
  std::unique_ptr<BusLoop> bus_loop_;
  std::unique_ptr<BusFacade> bus_;
  uint64_t last_exit_ = 0;
  uint32_t start_number_ = 0;
};

}  // namespace flotilla::init
