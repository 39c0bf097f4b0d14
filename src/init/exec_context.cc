#include "init/exec_context.h"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>

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

// "+" runs as the manager is, and "!" keeps its user; the rest is as configured.
bool applies_user(const unit::Command& command) {
  return command.privilege == unit::Command::Privilege::kAsConfigured ||
         command.privilege == unit::Command::Privilege::kAmbient;
}

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

int open_flags(const StreamSetting& stream, bool is_input) {
  if (is_input) return O_RDONLY | O_NOCTTY | O_CLOEXEC;
  const int flags = O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC;
  if (stream.kind == StreamSetting::Kind::kAppend) return flags | O_APPEND;
  if (stream.kind == StreamSetting::Kind::kTruncate) return flags | O_TRUNC;
  return flags;
}

bool is_file(const StreamSetting& stream) {
  return stream.kind == StreamSetting::Kind::kFile || stream.kind == StreamSetting::Kind::kAppend ||
         stream.kind == StreamSetting::Kind::kTruncate ||
         stream.kind == StreamSetting::Kind::kTty || stream.kind == StreamSetting::Kind::kKmsg;
}

std::string path_of(const StreamSetting& stream) {
  if (stream.kind == StreamSetting::Kind::kKmsg) return "/dev/kmsg";
  if (stream.kind == StreamSetting::Kind::kTty) return "/dev/console";
  return stream.path_or_name;
}

// What cannot be set is set as far as it can be, as systemd does it.
ResourceLimit closest_limit(int resource, rlimit wanted) {
  static const bool may_raise = [] {
    const cap_t own = cap_get_proc();
    cap_flag_value_t value = CAP_CLEAR;
    if (own != nullptr) cap_get_flag(own, CAP_SYS_RESOURCE, CAP_EFFECTIVE, &value);
    cap_free(own);
    return value == CAP_SET;
  }();
  static const rlim_t most_descriptors = [] {
    rlim_t limit = 1048576;
    const base::Fd file(::open("/proc/sys/fs/nr_open", O_RDONLY | O_CLOEXEC));
    std::array<char, 32> text{};
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (size > 0) std::from_chars(text.data(), text.data() + size, limit);
    return limit;
  }();
  rlim_t most = resource == RLIMIT_NOFILE ? most_descriptors : RLIM_INFINITY;
  rlimit own{};
  if (!may_raise && getrlimit(static_cast<__rlimit_resource>(resource), &own) == 0) {
    most = std::min(most, own.rlim_max);
  }
  return {resource, {std::min(wanted.rlim_cur, most), std::min(wanted.rlim_max, most)}};
}

}  // namespace

std::string find_program(const unit::Command& command, const base::FileTree& host) {
  if (command.path[0] == '/') return command.path;
  for (const std::string_view directory : unit::kProgramSearchPath) {
    std::string path = std::string(directory) + "/" + command.path;
    const auto stat = host.stat(path);
    if (stat && stat->kind == base::FileKind::kRegular && (stat->mode & 0111) != 0) return path;
  }
  return "/usr/bin/" + command.path;  // its absence is what the user is told
}

bool PreparedExec::prepare(const ExecInputs& inputs, const base::FileTree& host, UserDb& users,
                           Failure& failure) {
  prepared_ = false;
  spec_ = {};
  has_user_ = false;
  stdin_.reset();
  stdout_.reset();
  stderr_.reset();
  const ExecSettings& exec = inputs.settings.exec;
  passed_fds_.assign(inputs.passed_fds.begin(), inputs.passed_fds.end());
  spec_.passed_fds = passed_fds_.data();
  spec_.passed_fd_count = static_cast<uint32_t>(passed_fds_.size());
  if (!find_ids(inputs, users, failure)) return false;
  if (!make_environment(inputs, host, failure)) return false;
  make_arguments(inputs, host);
  if (!open_streams(inputs, host, failure)) return false;

  working_directory_ = exec.working_directory;
  if (working_directory_ == "~") working_directory_ = has_user_ ? user_.home : "/root";
  spec_.working_directory = working_directory_.empty() ? nullptr : working_directory_.c_str();
  spec_.working_directory_missing_ok = exec.working_directory_missing_ok;
  limits_.clear();
  for (size_t resource = 0; resource < exec.limits.size(); ++resource) {
    if (exec.limits[resource]) {
      limits_.push_back(closest_limit(static_cast<int>(resource), *exec.limits[resource]));
    }
  }
  if (!exec.limits[RLIMIT_NOFILE] && inputs.descriptors) {
    limits_.push_back({RLIMIT_NOFILE, *inputs.descriptors});
  }
  spec_.limits = limits_.data();
  spec_.limit_count = static_cast<uint32_t>(limits_.size());
  spec_.umask = static_cast<int>(exec.umask.value_or(0022));
  if (exec.nice) spec_.nice = *exec.nice;
  if (exec.oom_score_adjust) spec_.oom_score_adjust = *exec.oom_score_adjust;
  spec_.no_new_privileges =
      exec.no_new_privileges && inputs.command.privilege != unit::Command::Privilege::kFull;
  spec_.ignore_sigpipe = exec.ignore_sigpipe;
  prepared_ = true;
  return true;
}

bool PreparedExec::find_ids(const ExecInputs& inputs, UserDb& users, Failure& failure) {
  const ExecSettings& exec = inputs.settings.exec;
  unknown_ = {};
  const auto may_be_elsewhere = [&](const base::Error& error) {
    return inputs.may_ask_nss && error.code == base::Errc::kNotFound;
  };
  if (inputs.dynamic_user != nullptr && !inputs.dynamic_user->is_static) {
    return take_dynamic_user(inputs);
  }
  if (!exec.user.empty()) {
    const auto user = users.find_user(exec.user);
    if (!user && may_be_elsewhere(user.error())) {
      unknown_.user = exec.user;
    } else if (!user) {
      failure = {SpawnStage::kUser,
                 fmt::format("Failed to determine user credentials: {}", user.error().message)};
      return false;
    }
    if (user) user_ = **user;
    has_user_ = user.has_value();
  }
  if (!applies_user(inputs.command)) return true;
  if (has_user_) {
    spec_.uid = user_.uid;
    spec_.gid = user_.gid;
  }
  if (!exec.group.empty()) {
    const auto group = users.find_group(exec.group);
    if (!group && may_be_elsewhere(group.error())) {
      unknown_.group = exec.group;
    } else if (!group) {
      failure = {SpawnStage::kGroup,
                 fmt::format("Failed to determine group credentials: {}", group.error().message)};
      return false;
    }
    if (group) spec_.gid = *group;
  }
  groups_.clear();
  if (has_user_ && !user_.name.empty()) {
    if (auto groups = users.groups_of(user_.name, spec_.gid)) groups_ = std::move(*groups);
  } else if (has_user_) {
    groups_.push_back(spec_.gid);
  }
  for (const std::string& name : exec.supplementary_groups) {
    const auto group = users.find_group(name);
    if (!group && may_be_elsewhere(group.error())) {
      unknown_.groups.push_back(name);
      continue;
    }
    if (!group) {
      failure = {SpawnStage::kGroup, fmt::format("Failed to determine supplementary groups: {}",
                                                 group.error().message)};
      return false;
    }
    groups_.push_back(*group);
  }
  // Only root may set groups; a plain user's manager keeps its own.
  spec_.set_groups = geteuid() == 0 && (has_user_ || !groups_.empty() || !exec.group.empty());
  spec_.groups = groups_.data();
  spec_.group_count = static_cast<uint32_t>(groups_.size());
  if (geteuid() != 0 && spec_.uid == geteuid()) spec_.uid = ExecSpec::kKeepId;
  if (geteuid() != 0 && spec_.gid == getegid()) spec_.gid = ExecSpec::kKeepId;
  return true;
}

bool PreparedExec::take_dynamic_user(const ExecInputs& inputs) {
  user_ = {};
  user_.name = inputs.dynamic_user->name;
  user_.uid = user_.gid = inputs.dynamic_user->uid;
  has_user_ = true;
  if (!applies_user(inputs.command)) return true;
  spec_.uid = user_.uid;
  spec_.gid = user_.gid;
  groups_.assign(1, user_.gid);
  spec_.set_groups = true;
  spec_.groups = groups_.data();
  spec_.group_count = 1;
  return true;
}

bool PreparedExec::make_environment(const ExecInputs& inputs, const base::FileTree& host,
                                    Failure& failure) {
  const ExecSettings& exec = inputs.settings.exec;
  unit::Environment environment(inputs.manager_environment);
  if (!inputs.credentials_directory.empty()) {
    environment.set("CREDENTIALS_DIRECTORY", inputs.credentials_directory);
  }
  if (!inputs.notify_socket.empty()) environment.set("NOTIFY_SOCKET", inputs.notify_socket);
  if (inputs.main_pid > 0) environment.set("MAINPID", std::to_string(inputs.main_pid));
  if (inputs.manager_pid > 0) environment.set("MANAGERPID", std::to_string(inputs.manager_pid));
  const std::string& pid_file = inputs.settings.service.pid_file;
  if (!pid_file.empty()) environment.set("PIDFILE", pid_file);
  if (!inputs.service_result.empty()) {
    environment.set("SERVICE_RESULT", inputs.service_result);
    if (inputs.main_exit.code != 0) {
      environment.set("EXIT_CODE", exit_code_word(inputs.main_exit));
      environment.set("EXIT_STATUS", inputs.main_exit.code == CLD_EXITED
                                         ? std::to_string(inputs.main_exit.status)
                                         : unit::signal_name(inputs.main_exit.status));
    }
  }
  if (inputs.watchdog.count() > 0 && inputs.watchdog != kInfinity) {
    environment.set("WATCHDOG_PID", kOwnPid);
    environment.set("WATCHDOG_USEC", std::to_string(inputs.watchdog.count()));
  }
  if (has_user_) {
    if (!user_.home.empty()) environment.set("HOME", user_.home);
    if (!user_.name.empty()) {
      environment.set("LOGNAME", user_.name);
      environment.set("USER", user_.name);
    }
    if (!user_.shell.empty()) environment.set("SHELL", user_.shell);
  }
  if (!inputs.passed_fds.empty()) {
    environment.set("LISTEN_PID", kOwnPid);
    environment.set("LISTEN_FDS", std::to_string(inputs.passed_fds.size()));
    environment.set("LISTEN_FDNAMES", inputs.passed_names);
  }
  if (!inputs.invocation_id.empty()) environment.set("INVOCATION_ID", inputs.invocation_id);
  environment.set("SYSTEMD_EXEC_PID", kOwnPid);
  for (const std::string& name : exec.pass_environment) {
    const char* value = getenv(name.c_str());
    if (value != nullptr) environment.set(name, value);
  }
  for (const std::string& assignment : exec.environment) environment.set_assignment(assignment);
  for (const auto& [path, missing_ok] : exec.environment_files) {
    const auto bytes = host.read(path, size_t{4} << 20);
    if (!bytes && missing_ok) continue;
    const auto parsed =
        bytes ? unit::parse_environment_file(*bytes, path) : base::Result<unit::Environment>({});
    if (!bytes || (!parsed && !missing_ok)) {
      failure = {SpawnStage::kNone,
                 fmt::format("Failed to load environment files: {}",
                             bytes ? parsed.error().message : bytes.error().message)};
      return false;
    }
    if (parsed) environment.merge(*parsed);
  }
  environment.unset_all(exec.unset_environment);
  environment_ = environment.assignments();
  arguments_ = unit::expand_arguments(inputs.command, environment);
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
  return true;
}

void PreparedExec::make_arguments(const ExecInputs& inputs, const base::FileTree& host) {
  path_ = find_program(inputs.command, host);
  spec_.path = path_.c_str();
  argument_pointers_.clear();
  for (const std::string& argument : arguments_) argument_pointers_.push_back(argument.c_str());
  argument_pointers_.push_back(nullptr);
  spec_.argv = argument_pointers_.data();
}

bool PreparedExec::open_streams(const ExecInputs& inputs, const base::FileTree& host,
                                Failure& failure) {
  const ExecSettings& exec = inputs.settings.exec;
  const auto open_one = [&](const StreamSetting& stream, bool is_input, SpawnStage stage,
                            base::Fd& fd) {
    if (!is_file(stream)) return true;
    const std::string path = host.host_path(path_of(stream));
    fd.reset(::open(path.c_str(), open_flags(stream, is_input), 0666));
    if (fd.is_open()) return true;
    const int error = errno;
    failure = {stage,
               fmt::format("Failed to set up standard {}: {}: {}", is_input ? "input" : "output",
                           path, base::describe_errno(error))};
    return false;
  };
  if (!open_one(exec.standard_input, true, SpawnStage::kStdin, stdin_)) return false;
  if (!open_one(exec.standard_output, false, SpawnStage::kStdout, stdout_)) return false;
  const bool is_same = exec.standard_error.kind == exec.standard_output.kind &&
                       exec.standard_error.path_or_name == exec.standard_output.path_or_name;
  if (!is_same && !open_one(exec.standard_error, false, SpawnStage::kStderr, stderr_)) return false;
  spec_.stdin_fd = stdin_.get();
  spec_.stdout_fd = stdout_.get();
  if (exec.standard_output.kind == StreamSetting::Kind::kInherit) spec_.stdout_fd = stdin_.get();
  spec_.stderr_fd = is_same || exec.standard_error.kind == StreamSetting::Kind::kInherit
                        ? spec_.stdout_fd
                        : stderr_.get();
  return true;
}

void PreparedExec::renew(std::string_view invocation_id) noexcept {
  if (invocation_index_ == SIZE_MAX) return;
  std::string& assignment = environment_[invocation_index_];
  if (assignment.size() != kInvocation.size() + invocation_id.size()) return;
  assignment.replace(kInvocation.size(), invocation_id.size(), invocation_id);
}

}  // namespace flotilla::init
