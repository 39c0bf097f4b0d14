// The real ExecHelper: orders in sealed memory, reports over pipes, directories below /tmp and
// /var/tmp, users locked in run/systemd/dynamic-uid. Owned by the program; loop thread only.
#pragma once

#include <map>

#include "init/dynamic_users.h"
#include "init/exec_helper.h"
#include "init/loop.h"

namespace flotilla::init {

class LinuxExecHelper final : public ExecHelper {
 public:
  // `program` is flotilla-exec, or empty.
  LinuxExecHelper(Loop& loop, Spawner& spawner, UserDb& users, std::string program,
                  SandboxPaths paths, std::string boot_id);

  const std::string& program() const noexcept override { return program_; }
  const SandboxPaths& paths() const noexcept override { return paths_; }
  base::Result<std::unique_ptr<HelperLaunch>> launch(const ExecSpec& plain,
                                                     const sandbox::Order& order,
                                                     const SandboxPlaces* places) override;
  base::Status watch(HelperRun& run) override;
  base::Result<std::shared_ptr<SandboxPlaces>> make_places(std::string_view unit,
                                                           PlacesWanted wanted,
                                                           pid_t running) override;
  void release(std::shared_ptr<SandboxPlaces> places) override;
  base::Result<std::shared_ptr<DynamicUser>> make_user(
      DynamicUser::Kind kind, const std::string& name,
      const std::vector<std::string>& paths) override;
  void release(std::shared_ptr<DynamicUser> user) override;
  bool has_credentials(const std::string& directory) const override;
  void remove_credentials(const std::string& directory) override;
  void end_utmp(const sandbox::UtmpFiles& files, const std::string& id,
                const ChildExit& exit) override;
  void remove_ipc(uint32_t uid, uint32_t gid) override;

 private:
  base::Result<std::string> make_tmp(const char* base, std::string_view unit, pid_t running);
  void remove_tmp(const std::string& directory);
  void run_helper(const std::vector<std::string>& arguments);

  Loop& loop_;
  Spawner& spawner_;
  std::string program_;
  SandboxPaths paths_;
  std::string boot_id_;
  DynamicUsers users_;
};

}  // namespace flotilla::init
