// flotilla-exec as the manager sees it: when a process needs it, what it is told, and what it
// tells. The steps that the manager's own fast path cannot do (namespaces, other roots,
// credentials, filters of system calls, names that only NSS knows) happen in a helper program that
// the same process then leaves for the service's. The helper is the seam; LinuxExecHelper
// (linux_exec_helper.h) is the real one, and without any the manager runs what needs none.
//
// Loop thread only.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "init/callback.h"
#include "init/children.h"
#include "init/loop.h"
#include "init/spawner.h"
#include "init/unit_settings.h"
#include "sandbox/order.h"

namespace flotilla::init {

// What the processes of one unit, and of those that join its namespaces, share as long as any of
// them runs: the directories behind a private /tmp, and the sockets that keep namespaces.
struct SandboxPlaces {
  uint64_t number = 0;  // no two of a manager's life have the same; the keeper knows them by this
  std::string tmp_directory, var_tmp_directory;  // PrivateTmp=; empty: none
  std::array<base::Fd, 2> network, ipc;
};

// What another manager must know of them besides the descriptors; nothing where it was not this
// that text_of() wrote.
std::string text_of(const SandboxPlaces& places);
struct PlacesRecord {
  uint64_t number = 0;
  bool network = false, ipc = false;
  std::string tmp_directory, var_tmp_directory;
};
std::optional<PlacesRecord> parse_places(std::string_view text);

struct PlacesWanted {
  bool tmp = false, network = false, ipc = false;
  bool any() const noexcept { return tmp || network || ipc; }
};

// A user or group that exists while a unit runs (DynamicUser=).
struct DynamicUser {
  enum class Kind : uint8_t { kUser, kGroup };

  std::string name;
  uint32_t uid = UINT32_MAX;  // of a group its number
  uint32_t gid = UINT32_MAX;
  bool is_static = false;   // the name is one of /etc/passwd or /etc/group, or a number
  bool is_refused = false;  // there is a group of a user's name, or a user of a group's
  base::Fd lock;
};

// Where things are, as paths of the host.
struct SandboxPaths {
  std::string runtime = "/run";
  std::vector<std::string> credential_stores;
};

// One helper on its way to its program: the end of the pipe its report comes through. Owned by the
// service it is of.
class HelperRun {
 public:
  enum class Outcome : uint8_t { kPending, kExecuted, kFailed, kDied };

  // `on_news` is called when there is something to read.
  HelperRun(base::Fd report, std::string program, bool is_main,
            Callback<void(uint32_t)> on_news) noexcept;

  int fd() const noexcept { return report_.get(); }
  bool is_main() const noexcept { return is_main_; }
  const std::string& program() const noexcept { return program_; }

  // Reads what is there; does not block. `told` gets the warnings and, last, a failure.
  Outcome read(std::vector<sandbox::Report>& told);

 private:
  base::Fd report_;
  std::string program_;
  std::string bytes_;
  bool is_main_;
  bool is_about_to_exec_ = false;

 public:
  // The last member: it must leave the loop before the descriptor is closed, since the process at
  // the other end of the pipe may hold the description, and the loop's interest in it, open.
  FdSource source;
};

// What is spawned in place of a process's program. Owns what its ExecSpec points to.
struct HelperLaunch {
  ExecSpec spec;
  base::Fd report;  // the manager's end of the pipe

  base::Fd order, report_in;
  std::vector<int> fds;
  std::string program, number;
  std::array<const char*, 4> arguments{};
};

class ExecHelper {
 public:
  virtual ~ExecHelper() = default;

  // Empty: it is not installed, and units that need it fail.
  virtual const std::string& program() const noexcept = 0;
  virtual const SandboxPaths& paths() const noexcept = 0;
  // The order and its way to the helper; `plain` is what the order was made from.
  virtual base::Result<std::unique_ptr<HelperLaunch>> launch(const ExecSpec& plain,
                                                             const sandbox::Order& order,
                                                             const SandboxPlaces* places) = 0;
  virtual base::Status watch(HelperRun& run) = 0;

  // Those that an earlier manager made for a unit that still runs are found again.
  virtual base::Result<std::shared_ptr<SandboxPlaces>> make_places(std::string_view unit,
                                                                   PlacesWanted wanted,
                                                                   pid_t running) = 0;
  // The last one that lets go of them removes them.
  virtual void release(std::shared_ptr<SandboxPlaces> places) = 0;

  // The number that owns one of `paths` is taken where it can be had. Fails for a name that no user
  // may have.
  virtual base::Result<std::shared_ptr<DynamicUser>> make_user(
      DynamicUser::Kind kind, const std::string& name, const std::vector<std::string>& paths) = 0;
  virtual void release(std::shared_ptr<DynamicUser> user) = 0;

  virtual bool has_credentials(const std::string& directory) const = 0;
  virtual void remove_credentials(const std::string& directory) = 0;
  // UtmpIdentifier= of a process that has ended.
  virtual void end_utmp(const sandbox::UtmpFiles& files, const std::string& id,
                        const ChildExit& exit) = 0;
  // SysV and POSIX objects that a user or group has left (RemoveIPC=).
  virtual void remove_ipc(uint32_t uid, uint32_t gid) = 0;
};

PlacesWanted places_wanted(const ExecSettings& exec);
// Whether a unit's processes go through the helper whatever their users are.
bool needs_helper(const ExecSettings& exec);

// Where the records of UtmpIdentifier= are.
sandbox::UtmpFiles utmp_files(const SandboxPaths& paths, const unit::HostValues& host);

// What an order is made of besides the spec.
struct OrderInputs {
  const UnitSettings& settings;
  const ExecSpec& spec;
  ServiceCommand which = ServiceCommand::kStart;
  unit::Command::Privilege privilege = unit::Command::Privilege::kAsConfigured;
  const SandboxPaths& paths;
  const SandboxPlaces* places = nullptr;
  const unit::HostValues* host = nullptr;  // where the unit's directories are; null: it has none
  std::string_view notify_socket{};
  std::string_view credentials_directory{};  // empty: none
  bool writes_credentials = false;
  // Names that the manager did not find.
  std::string_view unknown_user{}, unknown_group{};
  std::vector<std::string> unknown_groups{};
};
// The spec's members that the helper takes over are reset in `left`, the rest stays for the spawn.
sandbox::Order make_order(const OrderInputs& inputs, ExecSpec& left);

// "/run/credentials/a.service"
std::string credentials_directory(const SandboxPaths& paths, std::string_view unit);

}  // namespace flotilla::init
