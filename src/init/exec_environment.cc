// The environment of a process, in the order of man systemd.exec: what comes later wins. Of
// PreparedExec (exec_context.h).
#include <glob.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "init/exec_context.h"
#include "init/exec_names.h"
#include "init/terminal.h"
#include "unit/command_line.h"
#include "unit/environment.h"
#include "unit/signal_name.h"

namespace flotilla::init {
namespace {

constexpr std::string_view kInvocation = "INVOCATION_ID=";
// Their value is the pid of the process itself, which only the child knows.
constexpr std::array<std::string_view, ExecSpec::kMaxPidTexts> kPidVariables{
    "LISTEN_PID=", "WATCHDOG_PID=", "SYSTEMD_EXEC_PID="};
constexpr std::string_view kOwnPid = "0";
constexpr size_t kPidDigits = 11;
constexpr uid_t kNobodyId = 65534;  // whose home is nobody's
constexpr size_t kMaxEnvironmentFile = size_t{4} << 20;

std::string_view exit_code_word(const ProcessExit& exit) {
  switch (exit.code) {
    case CLD_EXITED:
      return "exited";
    case CLD_KILLED:
      return "killed";
    case CLD_DUMPED:
      return "dumped";
    default:
      return {};
  }
}

// A script of /etc/init.d goes to systemctl, which would wait for that same script, unless its
// parent is PID 1. Ours never is: the keeper has that number.
bool is_init_script(std::string_view path) { return path.starts_with("/etc/init.d/"); }

// What tells a process nothing it can use is left out.
bool is_useful_home(std::string_view home) { return home.size() > 1 && home[0] == '/'; }
bool is_useful_shell(std::string_view shell) {
  constexpr std::array<std::string_view, 8> kNoShells{
      "/bin/nologin", "/sbin/nologin",  "/usr/bin/nologin", "/usr/sbin/nologin",
      "/bin/false",   "/usr/bin/false", "/bin/true",        "/usr/bin/true"};
  return !shell.empty() && shell[0] == '/' &&
         std::find(kNoShells.begin(), kNoShells.end(), shell) == kNoShells.end();
}

// The files a path with wildcards stands for, sorted; the path itself where it has none.
std::vector<std::string> matching_files(const std::string& path, const base::FileTree& host) {
  if (path.find_first_of("*?[") == std::string::npos) return {path};
  const std::string outside = host.host_path("/");
  const size_t prefix = outside == "/" ? 0 : outside.size() - (outside.back() == '/' ? 1 : 0);
  std::vector<std::string> files;
  glob_t found{};
  if (glob(host.host_path(path).c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) {
      files.emplace_back(std::string_view(found.gl_pathv[i]).substr(prefix));
    }
  }
  globfree(&found);
  std::sort(files.begin(), files.end());
  return files;
}

// SERVICE_RESULT and its kin; MONITOR_SERVICE_RESULT where they are another unit's.
void add_result(const ExecInputs& inputs, unit::Environment& environment) {
  if (inputs.service_result.empty()) return;
  const bool is_monitor = !inputs.monitored_unit.empty();
  const auto set = [&](std::string_view name, std::string_view value) {
    environment.set((is_monitor ? "MONITOR_" : "") + std::string(name), std::string(value));
  };
  set("SERVICE_RESULT", inputs.service_result);
  if (inputs.main_exit.code != 0) {
    set("EXIT_CODE", exit_code_word(inputs.main_exit));
    set("EXIT_STATUS", inputs.main_exit.code == CLD_EXITED
                           ? std::to_string(inputs.main_exit.status)
                           : unit::signal_name(inputs.main_exit.status));
  }
  if (!is_monitor) return;
  if (!inputs.monitored_invocation.empty()) set("INVOCATION_ID", inputs.monitored_invocation);
  set("UNIT", inputs.monitored_unit);
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ":") + part;
  return text;
}

// Of a terminal: what PID 1 itself was given for the console, else what fits the kind.
std::string term_of(const ExecSettings& exec) {
  const std::string& path = tty_path_of(exec);
  const char* own = path == "/dev/console" && getpid() == 1 ? getenv("TERM") : nullptr;
  return own != nullptr ? own : default_term(path);
}

}  // namespace

bool PreparedExec::read_environment_files(const ExecInputs& inputs, const base::FileTree& host,
                                          unit::Environment& environment, Failure& failure) {
  const ExecSettings& exec = *inputs.settings.exec;
  for (const auto& [pattern, missing_ok] : exec.environment_files) {
    const std::vector<std::string> files = matching_files(pattern, host);
    std::string reason;
    if (files.empty()) reason = base::describe_errno(ENOENT);
    for (const std::string& path : files) {
      const auto bytes = host.read(path, kMaxEnvironmentFile);
      if (!bytes) {
        reason = bytes.error().message;
        break;
      }
      const auto parsed = unit::parse_environment_file(*bytes, path);
      if (!parsed) {
        reason = parsed.error().message;
        break;
      }
      environment.merge(*parsed);
    }
    if (reason.empty() || missing_ok) continue;
    failure = {SpawnStage::kNone, 0, fmt::format("Failed to load environment files: {}", reason)};
    return false;
  }
  return true;
}

void PreparedExec::add_own_variables(const ExecInputs& inputs,
                                     unit::Environment& environment) const {
  const ExecSettings& exec = *inputs.settings.exec;
  if (!inputs.passed_fds.empty()) {
    environment.set("LISTEN_PID", kOwnPid);
    environment.set("LISTEN_FDS", std::to_string(inputs.passed_fds.size()));
    environment.set("LISTEN_FDNAMES", inputs.passed_names);
  }
  if (inputs.watchdog.count() > 0 && inputs.watchdog != kInfinity) {
    environment.set("WATCHDOG_PID", kOwnPid);
    environment.set("WATCHDOG_USEC", std::to_string(inputs.watchdog.count()));
  }
  const bool has_home = has_user_ || (exec.working_directory == "~" && unknown_.user.empty());
  const bool is_own = user_.uid != kNobodyId || exec.working_directory == "~";
  if (has_home && is_own && is_useful_home(user_.home)) environment.set("HOME", user_.home);
  if (has_user_) {
    if (!user_.name.empty()) {
      environment.set("LOGNAME", user_.name);
      environment.set("USER", user_.name);
    }
    if (is_useful_shell(user_.shell)) environment.set("SHELL", user_.shell);
  }
  if (!inputs.invocation_id.empty()) environment.set("INVOCATION_ID", inputs.invocation_id);
  if (needs_term(exec)) environment.set("TERM", term_of(exec));
  if (exec.extras.is_set() && inputs.places != nullptr) {
    const DirectoryBases bases = directory_bases(*inputs.places);
    for (size_t i = 0; i < kDirectoryKinds; ++i) {
      const auto kind = static_cast<DirectoryKind>(i);
      const std::string list = directory_list(*exec.extras, bases, kind);
      if (!list.empty()) environment.set(directory_variable(kind), list);
    }
  }
  if (!inputs.credentials_directory.empty()) {
    environment.set("CREDENTIALS_DIRECTORY", inputs.credentials_directory);
  }
  environment.set("SYSTEMD_EXEC_PID", kOwnPid);
  if (is_init_script(inputs.command.path())) environment.set("SYSTEMCTL_SKIP_REDIRECT", "1");
  if (!exec.extras->exec_search_path.empty()) {
    environment.set("PATH", join(exec.extras->exec_search_path));
  }
}

void PreparedExec::make_environment(const ExecInputs& inputs, const unit::Environment& files) {
  const ExecSettings& exec = *inputs.settings.exec;
  unit::Environment environment(inputs.manager_environment);
  if (!inputs.notify_socket.empty()) environment.set("NOTIFY_SOCKET", inputs.notify_socket);
  if (inputs.main_pid > 0) environment.set("MAINPID", std::to_string(inputs.main_pid));
  if (inputs.manager_pid > 0) environment.set("MANAGERPID", std::to_string(inputs.manager_pid));
  if (!inputs.settings.service->extras->pid_file.empty()) {
    environment.set("PIDFILE", inputs.settings.service->extras->pid_file);
  }
  add_result(inputs, environment);
  add_own_variables(inputs, environment);
  for (const std::string& name : exec.pass_environment) {
    const char* value = getenv(name.c_str());
    if (value != nullptr) environment.set(name, value);
  }
  for (const std::string& assignment : exec.environment) environment.set_assignment(assignment);
  environment.merge(files);
  environment.unset_all(exec.unset_environment);
  environment_ = environment.assignments();
  arguments_ = unit::expand_arguments(inputs.command, environment);
  point_to_environment();
}

void PreparedExec::point_to_environment() {
  environment_pointers_.clear();
  invocation_index_ = SIZE_MAX;
  for (size_t i = 0; i < environment_.size(); ++i) {
    std::string& assignment = environment_[i];
    if (assignment.compare(0, kInvocation.size(), kInvocation) == 0) invocation_index_ = i;
    for (size_t text = 0; text < kPidVariables.size(); ++text) {
      const std::string_view name = kPidVariables[text];
      // A unit that sets one itself is given what it says.
      if (!assignment.starts_with(name) || assignment.substr(name.size()) != kOwnPid) continue;
      // The child writes its pid over the room made here.
      assignment.resize(name.size() + kPidDigits, '\0');
      spec_.pid_texts[text] = assignment.data() + name.size();
    }
    environment_pointers_.push_back(assignment.c_str());
  }
  environment_pointers_.push_back(nullptr);
  spec_.environment = environment_pointers_.data();
}

void PreparedExec::renew(std::string_view invocation_id) noexcept {
  if (invocation_index_ == SIZE_MAX) return;
  std::string& assignment = environment_[invocation_index_];
  if (assignment.size() != kInvocation.size() + invocation_id.size()) return;
  assignment.replace(kInvocation.size(), invocation_id.size(), invocation_id);
  keyring_.read_invocation(invocation_id);
}

}  // namespace flotilla::init
