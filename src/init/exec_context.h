// From a unit's settings and what is known at this moment to an ExecSpec: the environment block in
// systemd's order, the arguments with their variables, ids, limits, the standard streams. Owned by
// a service, which keeps the prepared main command for its automatic restarts; loop thread only.
//
// prepare() reads files (EnvironmentFile=, /etc/passwd) and allocates; renew() does neither.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/file_tree.h"
#include "init/exec_directories.h"
#include "init/exec_helper.h"
#include "init/exec_streams.h"
#include "init/restart_policy.h"
#include "init/spawner.h"
#include "init/unit_settings.h"
#include "init/unit_state.h"
#include "init/user_db.h"
#include "unit/environment.h"

namespace flotilla::init {

struct ExecInputs {
  const UnitSettings& settings;
  const unit::Command& command;
  ServiceCommand which = ServiceCommand::kStart;
  const std::vector<std::string>& manager_environment;
  std::string_view invocation_id;
  pid_t main_pid = 0;                        // 0: no MAINPID=
  pid_t manager_pid = 0;                     // 0: no MANAGERPID=, which only a user's manager gives
  std::string_view notify_socket{};          // empty: none is passed
  Micros watchdog{0};                        // 0: none
  std::optional<rlimit> descriptors{};       // where LimitNOFILE= is not set
  const unit::HostValues* places = nullptr;  // of directories; null: none are made
  bool is_user_manager = false;
  int socket_fd = -1;  // for StandardInput=socket
  std::span<const std::pair<std::string, int>> named_fds{};
  // Become 3, 4, ... of the process; the names as LISTEN_FDNAMES= has them.
  std::span<const int> passed_fds{};
  std::string_view passed_names{};
  const DynamicUser* dynamic_user = nullptr;   // in place of User= and Group=
  const DynamicUser* dynamic_group = nullptr;  // null: the user's
  std::string_view credentials_directory{};    // empty: none
  bool may_ask_nss = false;                    // a helper looks up what we do not find
  // For ExecStop= and ExecStopPost= alone.
  std::string_view service_result{};
  // Set before the start of a unit whose OnFailure= or OnSuccess= this one is: how that went.
  std::string_view monitored_unit{}, monitored_invocation{};
  ProcessExit main_exit{};
};

// Users and groups that are not in our files, for NSS to find.
struct UnknownNames {
  std::string user, group;
  std::vector<std::string> groups;
  bool empty() const { return user.empty() && group.empty() && groups.empty(); }
};

class PreparedExec {
 public:
  // Fails with the step that cannot be done: the process "exits" with exit_code_of(stage). A stage
  // of kNone in a failure means that no process can be tried at all (EnvironmentFile= missing).
  using Failure = PreparedStreams::Failure;

  // Returns whether it can be spawned; `failure` says why not.
  bool prepare(const ExecInputs& inputs, const base::FileTree& host, UserDb& users,
               Failure& failure);
  // The same once more with another invocation id. Requires: can_renew(), and the id is as long as
  // the one before.
  void renew(std::string_view invocation_id) noexcept;
  // It was prepared, and nothing in it must be made anew for another start.
  bool can_renew() const noexcept { return prepared_ && renewable_; }

  // Points into this object. Streams to the log, the cgroup and pid_location are the caller's.
  ExecSpec& spec() noexcept { return spec_; }
  const StreamPlan& streams() const noexcept { return streams_.plan(); }
  const UnknownNames& unknown_names() const noexcept { return unknown_; }
  // Who the process is to be; UINT32_MAX: as the manager.
  uint32_t uid() const noexcept { return uid_; }
  uint32_t gid() const noexcept { return gid_; }

  // Makes it a process that only ends, with the step of the failure that prepare() came to.
  void fail_at(const Failure& failure, const std::string& path);

  // What a helper does in the child's place is left out of spec().
  void leave_privileges() noexcept;

 private:
  // What few processes need.
  struct Extras {
    SpawnExtras spawn;
    std::vector<uint8_t> cpu_affinity, numa_mask;
    std::vector<SlowChown> slow_chowns;
  };

  bool take_dynamic_user(const ExecInputs& inputs, Failure& failure);
  bool find_user(const ExecInputs& inputs, UserDb& users, Failure& failure);
  bool find_groups(const ExecInputs& inputs, UserDb& users, Failure& failure);
  static bool read_environment_files(const ExecInputs& inputs, const base::FileTree& host,
                                     unit::Environment& environment, Failure& failure);
  void make_environment(const ExecInputs& inputs, const unit::Environment& files);
  void add_own_variables(const ExecInputs& inputs, unit::Environment& environment) const;
  void point_to_environment();
  void make_arguments(const ExecInputs& inputs, const base::FileTree& host);
  bool make_directories(const ExecInputs& inputs, Failure& failure);
  bool find_working_directory(const ExecInputs& inputs, Failure& failure);
  void set_limits(const ExecInputs& inputs);
  void set_extras(const ExecInputs& inputs);
  void set_keyring(const ExecInputs& inputs);

  ExecSpec spec_;
  bool prepared_ = false, renewable_ = false;
  UserEntry user_;
  bool has_user_ = false;
  UnknownNames unknown_;
  uint32_t uid_ = UINT32_MAX, gid_ = UINT32_MAX;
  std::vector<std::string> arguments_, environment_;
  std::vector<const char*> argument_pointers_, environment_pointers_;
  std::string path_, working_directory_;
  std::vector<gid_t> groups_;
  std::vector<int> passed_fds_;
  std::vector<ResourceLimit> limits_;
  SpawnKeyring keyring_;
  size_t invocation_index_ = SIZE_MAX;  // in environment_
  PreparedStreams streams_;
  std::unique_ptr<Extras> extras_;
};

// The program of a command as it is executed: absolute as written, or found in the search path.
// `directories` are ExecSearchPath='s; empty: the usual ones.
std::string find_program(const unit::Command& command, const base::FileTree& host,
                         const std::vector<std::string>& directories = {});

}  // namespace flotilla::init
