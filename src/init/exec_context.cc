#include "init/exec_context.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "init/directory_tree.h"
#include "init/exec_names.h"
#include "unit/command_line.h"

namespace flotilla::init {
namespace {

using Privilege = unit::Command::Privilege;

constexpr uid_t kNobodyId = 65534;

// "+" runs as the manager is, and "!" keeps its user; the rest is as configured.
bool applies_user(const unit::Command& command) {
  const Privilege privilege = command.effective_privilege();
  return privilege == Privilege::kAsConfigured || privilege == Privilege::kAmbient;
}

// What may have the terminal: the main command and what comes before it.
bool may_have_terminal(ServiceCommand which) {
  return which == ServiceCommand::kCondition || which == ServiceCommand::kStartPre ||
         which == ServiceCommand::kStart;
}

PreparedExec::Failure failure_of(SpawnStage stage, const base::Error& error, const char* what) {
  // Who is not there is "no such process", as for all who look for users.
  const int number = error.code == base::Errc::kNotFound ? ESRCH : EIO;
  return {stage, number, fmt::format("{}: {}", what, base::describe_errno(number))};
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

// The CPUs of the memory nodes, as /sys has them.
std::vector<uint8_t> cpus_of_nodes(const std::vector<uint8_t>& nodes) {
  std::vector<uint8_t> cpus;
  for (size_t node = 0; node < nodes.size() * 8; ++node) {
    if ((nodes[node / 8] >> (node % 8) & 1) == 0) continue;
    const std::string path = fmt::format("/sys/devices/system/node/node{}/cpulist", node);
    const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> text{};
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (size <= 0) continue;
    const auto set = parse_number_set({text.data(), static_cast<size_t>(size)});
    if (!set) continue;
    if (cpus.size() < set->size()) cpus.resize(set->size());
    for (size_t i = 0; i < set->size(); ++i) cpus[i] = static_cast<uint8_t>(cpus[i] | (*set)[i]);
  }
  return cpus;
}

int change_owners(const void* trees) {
  for (const SlowChown& tree : *static_cast<const std::vector<SlowChown>*>(trees)) {
    const int error = chown_tree(tree.path, tree.uid, tree.gid, SIZE_MAX);
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace

std::string find_program(const unit::Command& command, const base::FileTree& host,
                         const std::vector<std::string>& directories) {
  std::string program(command.path());
  if (program[0] == '/') return program;
  const auto find_in = [&](std::string_view directory) -> std::string {
    std::string path = std::string(directory) + "/" + program;
    const auto stat = host.stat(path);
    const bool is_program =
        stat && stat->kind == base::FileKind::kRegular && (stat->mode & 0111) != 0;
    return is_program ? path : std::string();
  };
  for (const std::string& directory : directories) {
    if (std::string path = find_in(directory); !path.empty()) return path;
  }
  if (!directories.empty()) return directories.front() + "/" + program;
  for (const std::string_view directory : unit::kProgramSearchPath) {
    if (std::string path = find_in(directory); !path.empty()) return path;
  }
  return "/usr/bin/" + program;  // its absence is what the user is told
}

bool PreparedExec::prepare(const ExecInputs& inputs, const base::FileTree& host, UserDb& users,
                           Failure& failure) {
  const ExecSettings& exec = *inputs.settings.exec;
  prepared_ = false;
  spec_ = {};
  passed_fds_.assign(inputs.passed_fds.begin(), inputs.passed_fds.end());
  spec_.passed_fds = passed_fds_.data();
  spec_.passed_fd_count = static_cast<uint32_t>(passed_fds_.size());
  if (!exec.extras.is_set()) {
    extras_.reset();
  } else if (!extras_) {
    extras_ = std::make_unique<Extras>();
  }
  unit::Environment files;
  if (!read_environment_files(inputs, host, files, failure)) return false;
  if (!find_user(inputs, users, failure) || !find_groups(inputs, users, failure)) return false;
  const bool gives_terminal = has_user_ && exec.standard_input.kind == StreamSetting::Kind::kTty;
  const StreamInputs stream_inputs{exec,
                                   host,
                                   may_have_terminal(inputs.which),
                                   inputs.socket_fd,
                                   inputs.which == ServiceCommand::kStart,
                                   inputs.named_fds,
                                   gives_terminal ? uid_ : UINT32_MAX};
  if (!streams_.open(stream_inputs, spec_, failure)) return false;
  if (extras_ && !make_directories(inputs, failure)) return false;
  if (!find_working_directory(inputs, failure)) return false;
  make_environment(inputs, files);
  make_arguments(inputs, host);
  set_limits(inputs);
  spec_.umask = static_cast<int>(exec.umask.value_or(0022));
  if (exec.nice) spec_.nice = *exec.nice;
  if (exec.oom_score_adjust) spec_.oom_score_adjust = *exec.oom_score_adjust;
  spec_.no_new_privileges =
      exec.no_new_privileges && inputs.command.effective_privilege() != Privilege::kFull;
  spec_.ignore_sigpipe = exec.ignore_sigpipe;
  spec_.program_missing_ok = inputs.command.ignore_failure;
  if (extras_) set_extras(inputs);
  set_keyring(inputs);
  renewable_ = !extras_ && streams_.is_reusable() && exec.environment_files.empty();
  prepared_ = true;
  return true;
}

bool PreparedExec::find_user(const ExecInputs& inputs, UserDb& users, Failure& failure) {
  const ExecSettings& exec = *inputs.settings.exec;
  unknown_ = {};
  has_user_ = false;
  uid_ = gid_ = UINT32_MAX;
  const auto may_be_elsewhere = [&](const base::Error& error) {
    return inputs.may_ask_nss && error.code == base::Errc::kNotFound;
  };
  if (inputs.dynamic_user != nullptr) return take_dynamic_user(inputs, failure);
  if (!exec.user.empty()) {
    const auto user = users.find_user(exec.user);
    if (user) {
      user_ = **user;
      has_user_ = true;
      uid_ = user_.uid;
      gid_ = user_.gid;
    } else if (may_be_elsewhere(user.error())) {
      unknown_.user = exec.user;
    } else {
      failure = failure_of(SpawnStage::kUser, user.error(), "Failed to determine user credentials");
      return false;
    }
  }
  if (exec.group.empty()) return true;
  const auto group = users.find_group(exec.group);
  if (group) {
    gid_ = *group;
  } else if (may_be_elsewhere(group.error())) {
    unknown_.group = exec.group;
  } else {
    failure =
        failure_of(SpawnStage::kGroup, group.error(), "Failed to determine group credentials");
    return false;
  }
  return true;
}

// Of one that is there anyway, too, nothing but its numbers is taken: it has no home.
bool PreparedExec::take_dynamic_user(const ExecInputs& inputs, Failure& failure) {
  const DynamicUser& user = *inputs.dynamic_user;
  const DynamicUser* const group = inputs.dynamic_group;
  failure = {SpawnStage::kUser, 0, "Failed to update dynamic user credentials"};
  if (user.is_refused || (group != nullptr && group->is_refused)) {
    failure.error = EILSEQ;
    failure.message += ": User or group with specified name already exists.";
    return false;
  }
  const bool is_new = !user.is_static || (group != nullptr && !group->is_static);
  if (is_new && geteuid() != 0) {
    failure.error = EPERM;
    return false;
  }
  user_ = {};
  user_.name = user.name;
  user_.uid = uid_ = user.uid;
  user_.gid = gid_ = group != nullptr ? group->uid : user.gid;
  has_user_ = true;
  return true;
}

bool PreparedExec::find_groups(const ExecInputs& inputs, UserDb& users, Failure& failure) {
  const ExecSettings& exec = *inputs.settings.exec;
  groups_.clear();
  // Root's groups are the manager's.
  const bool has_own = has_user_ && gid_ != 0 && gid_ != UINT32_MAX;
  if (has_own && !user_.name.empty()) {
    if (auto groups = users.groups_of(user_.name, gid_)) groups_ = std::move(*groups);
  } else if (has_own) {
    groups_.push_back(gid_);
  }
  const size_t own_groups = groups_.size();
  for (const std::string& name : exec.supplementary_groups) {
    const auto group = users.find_group(name);
    if (!group && inputs.may_ask_nss && group.error().code == base::Errc::kNotFound) {
      unknown_.groups.push_back(name);
      continue;
    }
    if (!group) {
      failure =
          failure_of(SpawnStage::kGroup, group.error(), "Failed to determine supplementary groups");
      return false;
    }
    if (std::find(groups_.begin(), groups_.end(), *group) == groups_.end()) {
      groups_.push_back(*group);
    }
  }
  const bool is_root = geteuid() == 0;
  if (!applies_user(inputs.command)) {
    // Only the groups that the user has by himself are taken on.
    spec_.set_groups = is_root && own_groups > 0;
    spec_.groups = groups_.data();
    spec_.group_count = static_cast<uint32_t>(own_groups);
    return true;
  }
  spec_.uid = uid_;
  spec_.gid = gid_;
  // Only root may set groups; a plain user's manager keeps its own.
  // Those it was asked for besides it must not go without.
  spec_.set_groups = (is_root && !groups_.empty()) || !exec.supplementary_groups.empty();
  spec_.groups = groups_.data();
  spec_.group_count = static_cast<uint32_t>(groups_.size());
  if (!is_root && spec_.uid == geteuid()) spec_.uid = ExecSpec::kKeepId;
  if (!is_root && spec_.gid == getegid()) spec_.gid = ExecSpec::kKeepId;
  return true;
}

bool PreparedExec::make_directories(const ExecInputs& inputs, Failure& failure) {
  const ExecExtras& extras = *inputs.settings.exec->extras;
  extras_->slow_chowns.clear();
  if (inputs.places == nullptr || !extras.has_directories()) return true;
  constexpr std::array kStages{SpawnStage::kRuntimeDirectory, SpawnStage::kStateDirectory,
                               SpawnStage::kCacheDirectory, SpawnStage::kLogsDirectory,
                               SpawnStage::kConfigurationDirectory};
  const DirectoryBases bases = directory_bases(*inputs.places);
  const DirectoryOwner owner{uid_ == UINT32_MAX ? 0 : uid_, gid_ == UINT32_MAX ? 0 : gid_,
                             !inputs.is_user_manager && geteuid() == 0,
                             inputs.dynamic_user != nullptr};
  DirectoryFailure failed;
  if (init::make_directories(extras, bases, owner, extras_->slow_chowns, failed)) return true;
  const auto kind = static_cast<size_t>(failed.kind);
  failure = {kStages[kind], failed.error,
             fmt::format("Failed to set up special execution directory in {}: {}", bases[kind],
                         base::describe_errno(failed.error))};
  return false;
}

bool PreparedExec::find_working_directory(const ExecInputs& inputs, Failure& failure) {
  const ExecSettings& exec = *inputs.settings.exec;
  working_directory_ = exec.working_directory;
  if (working_directory_ == "~" && unknown_.user.empty()) {
    // Who has none of his own gets the manager's.
    if (!has_user_ || user_.home.size() <= 1 || user_.uid == kNobodyId) {
      const char* home = getenv("HOME");
      user_.home = home != nullptr && home[0] == '/' ? home : "/root";
    }
    working_directory_ = user_.home;
    if (working_directory_.empty() && !exec.working_directory_missing_ok) {
      failure = {
          SpawnStage::kChdir, ENXIO,
          "Changing to the requested working directory failed: " + base::describe_errno(ENXIO)};
      return false;
    }
  } else if (working_directory_.empty() && inputs.is_user_manager) {
    if (const char* home = getenv("HOME"); home != nullptr) working_directory_ = home;
  }
  spec_.working_directory = working_directory_.empty() ? nullptr : working_directory_.c_str();
  spec_.working_directory_missing_ok = exec.working_directory_missing_ok;
  return true;
}

void PreparedExec::set_limits(const ExecInputs& inputs) {
  const ExecSettings& exec = *inputs.settings.exec;
  limits_.clear();
  const bool is_limited = inputs.command.effective_privilege() != Privilege::kFull;
  for (size_t resource = 0; is_limited && resource < exec.limits.size(); ++resource) {
    if (exec.limits[resource]) {
      limits_.push_back(closest_limit(static_cast<int>(resource), *exec.limits[resource]));
    }
  }
  if (is_limited && !exec.limits[RLIMIT_NOFILE] && inputs.descriptors) {
    limits_.push_back(closest_limit(RLIMIT_NOFILE, *inputs.descriptors));
  }
  spec_.limits = limits_.data();
  spec_.limit_count = static_cast<uint32_t>(limits_.size());
}

void PreparedExec::set_extras(const ExecInputs& inputs) {
  const ExecExtras& from = *inputs.settings.exec->extras;
  SpawnExtras& to = extras_->spawn;
  to = {};
  if (from.cpu_policy) {
    to.cpu_policy = *from.cpu_policy | (from.cpu_reset_on_fork ? SCHED_RESET_ON_FORK : 0);
    to.cpu_priority = from.cpu_priority;
  }
  extras_->cpu_affinity =
      from.cpu_affinity_from_numa ? cpus_of_nodes(from.numa_mask) : from.cpu_affinity;
  // Nodes without a CPU leave none to run on.
  if (from.cpu_affinity_from_numa && extras_->cpu_affinity.empty()) {
    extras_->cpu_affinity.resize(8);
  }
  if (!extras_->cpu_affinity.empty()) {
    to.cpu_affinity = extras_->cpu_affinity.data();
    to.cpu_affinity_size = extras_->cpu_affinity.size();
  }
  if (const int policy = effective_numa_policy(from); policy >= 0) {
    to.numa_policy = policy;
    // "default" and "local" are about no nodes in particular.
    const bool has_nodes = policy != 0 && policy != 4;
    extras_->numa_mask = has_nodes ? from.numa_mask : std::vector<uint8_t>();
    if (!extras_->numa_mask.empty()) to.numa_mask = extras_->numa_mask.data();
    to.numa_mask_size = extras_->numa_mask.size();
  }
  if (from.io_class || from.io_priority) {
    to.io_priority = from.io_class.value_or(2) << 13 | from.io_priority.value_or(4);
  }
  to.sets_coredump_filter = from.coredump_filter.has_value();
  to.coredump_filter = from.coredump_filter.value_or(0);
  to.sets_timer_slack = from.timer_slack_nsec.has_value();
  to.timer_slack_nsec = from.timer_slack_nsec.value_or(0);
  to.sets_personality = from.personality.has_value();
  to.personality = from.personality.value_or(0);
  if (streams_.plan().input == StreamPlan::End::kTerminal) {
    const bool steals = inputs.settings.exec->standard_input.path_or_name == "tty-force";
    to.terminal = steals ? SpawnExtras::Terminal::kSteal : SpawnExtras::Terminal::kTake;
  }
  if (inputs.command.effective_privilege() != Privilege::kFull) {
    to.limits_capabilities = from.capability_bounding_set != ExecExtras::kAllCapabilities;
    to.bounding_set = from.capability_bounding_set;
    // What may never be had cannot be kept either.
    to.ambient_set = from.ambient_capabilities & from.capability_bounding_set;
    to.secure_bits = from.secure_bits;
    to.sets_secure_bits = from.secure_bits != 0 || from.ambient_capabilities != 0;
  }
  if (!extras_->slow_chowns.empty()) {
    to.work = &change_owners;
    to.work_context = &extras_->slow_chowns;
    to.work_stage = SpawnStage::kStateDirectory;
  }
  spec_.extras = &to;
}

void PreparedExec::set_keyring(const ExecInputs& inputs) {
  const auto own = inputs.settings.exec->extras->keyring_mode;
  const KeyringMode mode =
      own.value_or(inputs.is_user_manager ? KeyringMode::kInherit : KeyringMode::kPrivate);
  if (mode == KeyringMode::kInherit) return;
  keyring_.is_shared = mode == KeyringMode::kShared;
  keyring_.uid = uid_;
  keyring_.gid = gid_;
  keyring_.read_invocation(inputs.invocation_id);
  spec_.keyring = &keyring_;
}

void PreparedExec::fail_at(const Failure& failure, const std::string& path) {
  prepared_ = false;
  spec_ = {};
  path_ = path;
  spec_.path = path_.c_str();
  spec_.fail_stage = failure.stage;
  spec_.fail_error = failure.error;
}

void PreparedExec::leave_privileges() noexcept {
  if (!extras_) return;
  SpawnExtras& spawn = extras_->spawn;
  spawn.limits_capabilities = spawn.sets_secure_bits = false;
  spawn.ambient_set = 0;
  spawn.secure_bits = 0;
}

void PreparedExec::make_arguments(const ExecInputs& inputs, const base::FileTree& host) {
  path_ = find_program(inputs.command, host, inputs.settings.exec->extras->exec_search_path);
  spec_.path = path_.c_str();
  argument_pointers_.clear();
  for (const std::string& argument : arguments_) argument_pointers_.push_back(argument.c_str());
  argument_pointers_.push_back(nullptr);
  spec_.argv = argument_pointers_.data();
}

}  // namespace flotilla::init
