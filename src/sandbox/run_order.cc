#include "sandbox/run_order.h"

#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>

#include "sandbox/credentials.h"
#include "sandbox/identity.h"
#include "sandbox/mount_namespace.h"
#include "sandbox/namespaces.h"
#include "sandbox/pam.h"
#include "sandbox/seccomp.h"

namespace flotilla::sandbox {
namespace {

using base::Status;

// systemd's exit codes of set-up steps.
enum Code : int {
  kChdir = 200,
  kExec = 203,
  kLimits = 205,
  kChroot = 210,
  kSecureBits = 213,
  kGroup = 216,
  kUser = 217,
  kCapabilities = 218,
  kPam = 224,
  kNetwork = 225,
  kNamespace = 226,
  kNoNewPrivileges = 227,
  kSeccomp = 228,
  kPersonality = 230,
  kAddressFamilies = 232,
  kCredentials = 243,
};

using Failure = std::optional<Report>;

class Steps {
 public:
  Steps(const Order& order, int report_fd)
      : order_(order),
        settings_(order.settings),
        report_fd_(report_fd),
        environment_(order.environment) {}

  Report run() {
    using Step = Failure (Steps::*)();
    static constexpr Step kSteps[] = {
        &Steps::find_ids,        &Steps::write_utmp,       &Steps::set_credentials,
        &Steps::open_session,    &Steps::enter_own_users,  &Steps::enter_spaces,
        &Steps::enter_mounts,    &Steps::enter_host_name,  &Steps::set_groups,
        &Steps::enter_users,     &Steps::set_limits,       &Steps::change_root,
        &Steps::change_identity, &Steps::change_directory, &Steps::set_filters};
    for (const Step step : kSteps) {
      if (auto failure = (this->*step)()) return *failure;
    }
    return execute();
  }

 private:
  static Failure fail(int code, const Status& status, std::string_view prefix = {}) {
    Report report;
    report.exit_code = code;
    report.error = status.error().error_number;
    report.message = std::string(prefix) + status.error().message;
    return report;
  }
  static Failure check(int code, const Status& status, std::string_view prefix = {}) {
    return status ? Failure() : fail(code, status, prefix);
  }
  void tell(const Report& report) const {
    const std::string bytes = encode_report(report);
    static_cast<void>(!::write(report_fd_, bytes.data(), bytes.size()));
  }
  void warn(std::string message) const {
    Report report;
    report.kind = Report::Kind::kWarning;
    report.message = std::move(message);
    tell(report);
  }

  Failure find_ids() {
    IdentityFailure failure;
    if (find_identity(order_, identity_, failure)) return {};
    Report report;
    report.exit_code = failure.is_group ? kGroup : kUser;
    report.error = ESRCH;
    report.message = failure.message;
    return report;
  }

  Failure write_utmp() {
    if (order_.utmp.id.empty()) return {};
    UtmpStart start = order_.utmp;
    start.user = identity_.user.empty() ? variable("USER") : identity_.user;
    write_utmp_start(order_.utmp_files, start);
    return {};
  }

  Failure set_credentials() {
    if (!order_.writes_credentials || !settings_.has_credentials()) return {};
    const uid_t reader = identity_.uid == Order::kKeepId ? ::getuid() : identity_.uid;
    const CredentialRequest request{settings_, order_.unit, order_.mounts.credentials_directory,
                                    order_.credential_stores, reader};
    return check(kCredentials, write_credentials(request), "Failed to set up credentials: ");
  }

  Failure open_session() {
    if (!identity_.user.empty()) {
      set_default("HOME", identity_.home);
      set_default("LOGNAME", identity_.user);
      set_default("USER", identity_.user);
      set_default("SHELL", identity_.shell);
    }
    if (settings_.pam_name.empty() || !order_.applies_sandbox) return {};
    std::string user = identity_.user;
    if (user.empty()) user = variable("USER");
    return check(kPam, open_pam_session(settings_.pam_name, user.empty() ? "root" : user,
                                        identity_.uid, identity_.gid, environment_));
  }

  // Where there are none to be had, in a container, all but a path that was named goes on without.
  Failure enter_one(SharedKind kind, int store, const std::string& path, int code) {
    const char* const what = kind == SharedKind::kNetwork ? "network" : "IPC";
    const std::string prefix = fmt::format("Failed to set up {} namespacing: ", what);
    if (!path.empty()) return check(code, join_namespace(kind, path), prefix);
    if (store < 0) return {};
    const Status entered = enter_shared_namespace(kind, store);
    if (entered) return {};
    if (entered.error().code != base::Errc::kUnsupported) return fail(code, entered, prefix);
    warn(fmt::format("{} namespace setup failed, ignoring: {}",
                     kind == SharedKind::kNetwork ? "PrivateNetwork=yes is configured, but network"
                                                  : "PrivateIPC=yes is configured, but IPC",
                     entered.error().message));
    return {};
  }
  Failure enter_spaces() {
    if (!order_.applies_sandbox) return {};
    if (auto failure = enter_one(SharedKind::kNetwork, order_.network_store,
                                 settings_.network_namespace_path, kNetwork)) {
      return failure;
    }
    return joins_ipc() ? enter_one(SharedKind::kIpc, order_.ipc_store, settings_.ipc_namespace_path,
                                   kNamespace)
                       : std::nullopt;
  }
  // As systemd 252, which does not look at IPCNamespacePath= where nothing else would be shared
  // between units.
  bool joins_ipc() const {
    return settings_.ipc_namespace_path.empty() || settings_.private_ipc || settings_.private_tmp ||
           settings_.private_network || !settings_.network_namespace_path.empty();
  }

  // A command with full privileges sees the same tree, but nothing in it is held back from it.
  Failure enter_mounts() {
    if (!needs_mount_namespace(settings_, order_.mounts)) return {};
    MountFacts facts = order_.mounts;
    Settings left;
    if (!order_.applies_sandbox) {
      left = without_restrictions(settings_);
      facts.tmp_directory.clear();
      facts.var_tmp_directory.clear();
    }
    const Settings& settings = order_.applies_sandbox ? settings_ : left;
    const MountPlaces places{order_.staging_directory, order_.inaccessible_directory,
                             order_.no_new_privileges};
    const Status entered = enter_mount_namespace(settings, facts, places);
    if (entered) {
      has_mounts_ = true;
      return {};
    }
    const bool goes_without =
        entered.error().code == base::Errc::kUnsupported && !insists_on_mounts(settings, facts);
    if (!goes_without) return fail(kNamespace, entered, "Failed to set up mount namespacing: ");
    warn(fmt::format("Mount namespacing is not available, ignoring: {}", entered.error().message));
    return {};
  }

  Failure enter_host_name() {
    if (!order_.applies_sandbox || !settings_.protect_hostname) return {};
    const Status entered = enter_host_name_namespace();
    if (entered) return {};
    if (entered.error().code != base::Errc::kUnsupported) {
      return fail(kNamespace, entered, "Failed to set up UTS namespacing: ");
    }
    warn("ProtectHostname=yes is configured, but UTS namespace setup is prohibited, ignoring.");
    return {};
  }

  Failure set_groups() { return check(kGroup, apply_groups(identity_)); }

  // Without privileges the user namespace comes first: it gives those that the others need.
  Failure enter_own_users() {
    if (!order_.applies_sandbox || !settings_.private_users || has_admin_capability()) return {};
    has_users_ = true;
    return check(kUser, enter_user_namespace(identity_.uid, identity_.gid),
                 "Failed to set up user namespacing for unprivileged user: ");
  }

  Failure enter_users() {
    if (!order_.applies_sandbox || !settings_.private_users || has_users_) return {};
    const Status entered = enter_user_namespace(identity_.uid, identity_.gid);
    if (entered) return {};
    if (entered.error().code == base::Errc::kUnsupported) {
      warn("PrivateUsers=yes is configured, but user namespace setup failed, ignoring.");
      return {};
    }
    return fail(kUser, entered, "Failed to set up user namespacing: ");
  }

  Failure set_limits() {
    for (const Limit& one : order_.limits) {
      const rlimit limit{one.soft, one.hard};
      if (::setrlimit(static_cast<__rlimit_resource>(one.resource), &limit) != 0) {
        return fail(kLimits, base::system_error(errno, "Failed to adjust resource limit"));
      }
    }
    return {};
  }

  // With a mount namespace the root has been changed already.
  Failure change_root() {
    const std::string& root = order_.mounts.root_directory;
    if (has_mounts_ || !order_.mounts.has_root()) return {};
    if (::chroot(root.c_str()) == 0 && ::chdir("/") == 0) return {};
    return fail(kChroot, base::system_error(
                             errno, "Failed to chroot to the requested root directory '{}'", root));
  }

  Failure change_identity() {
    if (auto failure = check(kCapabilities, lower_bounding_set(order_.bounding_set))) {
      return failure;
    }
    const bool is_secure = order_.secure_bits != 0;
    return check(is_secure ? kSecureBits : kUser,
                 become_user(identity_, order_.ambient_set, order_.secure_bits));
  }

  Failure change_directory() {
    ::umask(static_cast<mode_t>(order_.umask));
    std::string directory = order_.working_directory;
    if (directory == "~") directory = identity_.home.empty() ? variable("HOME") : identity_.home;
    if (directory.empty()) directory = "/";
    if (::chdir(directory.c_str()) == 0) return {};
    const int error = errno;
    if (order_.working_directory_missing_ok && ::chdir("/") == 0) return {};
    return fail(kChdir,
                base::system_error(error, "Changing to the requested working directory failed"));
  }

  Failure set_filters() {
    if (order_.personality != -1 &&
        ::personality(static_cast<unsigned long>(order_.personality)) < 0) {
      return fail(kPersonality, base::system_error(errno, "Failed to set personality"));
    }
    const bool filters = order_.applies_sandbox && needs_seccomp(settings_);
    if ((order_.no_new_privileges || (filters && !has_admin_capability())) &&
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
      return fail(kNoNewPrivileges, base::system_error(errno, "Failed to disable new privileges"));
    }
    if (!filters) return {};
    if (!is_seccomp_available()) {
      warn("SECCOMP features not detected in the kernel, system call filters have no effect.");
      return {};
    }
    if (auto failure = check(kAddressFamilies, restrict_address_families(settings_),
                             "Failed to restrict address families: ")) {
      return failure;
    }
    if (auto failure =
            check(kSeccomp, restrict_calls(settings_), "Failed to apply system call filters: ")) {
      return failure;
    }
    // All that is needed after the last filter is made before it.
    prepare_exec();
    return check(kSeccomp, filter_system_calls(settings_), "Failed to apply system call filters: ");
  }

  void prepare_exec() {
    if (!pointers_.empty()) return;
    for (const std::string& name : order_.pid_variables) {
      for (std::string& assignment : environment_) {
        if (assignment.compare(0, name.size(), name) == 0) {
          assignment = name + std::to_string(::getpid());
        }
      }
    }
    if (!order_.ignore_sigpipe) ::signal(SIGPIPE, SIG_DFL);
    for (const std::string& one : order_.arguments) pointers_.push_back(one.c_str());
    pointers_.push_back(nullptr);
    environment_at_ = pointers_.size();
    for (const std::string& one : environment_) pointers_.push_back(one.c_str());
    pointers_.push_back(nullptr);
    Report report;
    report.kind = Report::Kind::kAboutToExec;
    tell(report);
  }

  Report execute() {
    prepare_exec();
    ::execve(order_.program.c_str(), const_cast<char* const*>(pointers_.data()),
             const_cast<char* const*>(pointers_.data() + environment_at_));
    const int error = errno;
    Report report;
    report.exit_code = kExec;
    report.error = error;
    report.message =
        fmt::format("Failed to execute {}: {}", order_.program, base::describe_errno(error));
    return report;
  }

  std::string variable(std::string_view name) const {
    for (const std::string& assignment : environment_) {
      if (assignment.compare(0, name.size(), name) == 0 && assignment.size() > name.size() &&
          assignment[name.size()] == '=') {
        return assignment.substr(name.size() + 1);
      }
    }
    return {};
  }
  void set_default(std::string_view name, const std::string& value) {
    if (value.empty() || !variable(name).empty()) return;
    environment_.push_back(fmt::format("{}={}", name, value));
  }

  const Order& order_;
  const Settings& settings_;
  int report_fd_;
  std::vector<std::string> environment_;
  Identity identity_;
  bool has_users_ = false;
  bool has_mounts_ = false;
  std::vector<const char*> pointers_;
  size_t environment_at_ = 0;
};

}  // namespace

Report run_order(const Order& order, int report_fd) { return Steps(order, report_fd).run(); }

}  // namespace flotilla::sandbox
