#include "init/exec_helper.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "init/exec_directories.h"

namespace flotilla::init {
namespace {

bool is_applied(unit::Command::Privilege privilege) {
  return privilege == unit::Command::Privilege::kAsConfigured ||
         privilege == unit::Command::Privilege::kAmbient;
}

void take_variables(const ExecSpec& spec, sandbox::Order& order) {
  for (const char* const* one = spec.environment; *one != nullptr; ++one) {
    order.environment.emplace_back(*one);
    const std::string_view assignment = order.environment.back();
    for (const char* const text : spec.pid_texts) {
      // The child would have written it itself.
      const size_t equals = assignment.find('=');
      if (text == nullptr || text != *one + equals + 1) continue;
      order.pid_variables.emplace_back(assignment.substr(0, equals + 1));
    }
  }
}

// All that must wait until the process is in its new world, or that would be in the helper's way.
void take_process(const ExecSpec& spec, sandbox::Order& order, ExecSpec& left) {
  order.uid = spec.uid;
  order.gid = spec.gid;
  order.set_groups = spec.set_groups;
  order.groups.assign(spec.groups, spec.groups + spec.group_count);
  for (uint32_t i = 0; i < spec.limit_count; ++i) {
    const ResourceLimit& one = spec.limits[i];
    order.limits.push_back({one.resource, one.limit.rlim_cur, one.limit.rlim_max});
  }
  order.umask = spec.umask == ExecSpec::kKeep ? 0022 : spec.umask;
  if (spec.working_directory != nullptr) order.working_directory = spec.working_directory;
  order.working_directory_missing_ok = spec.working_directory_missing_ok;
  order.no_new_privileges = spec.no_new_privileges;
  order.ignore_sigpipe = spec.ignore_sigpipe;
  left.uid = left.gid = ExecSpec::kKeepId;
  left.set_groups = false;
  left.groups = nullptr;
  left.group_count = 0;
  left.limits = nullptr;
  left.limit_count = 0;
  left.umask = 0022;
  left.working_directory = nullptr;
  left.working_directory_missing_ok = false;
  left.no_new_privileges = false;
  left.ignore_sigpipe = true;
  for (char*& text : left.pid_texts) text = nullptr;
}

}  // namespace

HelperRun::HelperRun(base::Fd report, std::string program, bool is_main,
                     Callback<void(uint32_t)> on_news) noexcept
    : report_(std::move(report)),
      program_(std::move(program)),
      is_main_(is_main),
      source(Priority::kNotify, on_news) {}

HelperRun::Outcome HelperRun::read(std::vector<sandbox::Report>& told) {
  bool is_over = false;
  char buffer[sandbox::kMaxReport];
  while (bytes_.size() < 16 * sandbox::kMaxReport) {
    const ssize_t size = ::read(report_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    is_over = size == 0 || (size < 0 && errno != EAGAIN);
    if (size <= 0) break;
    bytes_.append(buffer, static_cast<size_t>(size));
  }
  std::string_view rest = bytes_;
  Outcome outcome = Outcome::kPending;
  while (auto report = sandbox::take_report(rest)) {
    if (report->kind == sandbox::Report::Kind::kAboutToExec) {
      is_about_to_exec_ = true;
      continue;
    }
    if (report->kind == sandbox::Report::Kind::kFailure) outcome = Outcome::kFailed;
    told.push_back(std::move(*report));
  }
  bytes_.erase(0, bytes_.size() - rest.size());
  if (outcome == Outcome::kFailed) return outcome;
  if (!is_over) return Outcome::kPending;
  // The pipe closes by itself when the program is executed; a helper that was killed closes it too.
  return is_about_to_exec_ ? Outcome::kExecuted : Outcome::kDied;
}

std::string text_of(const SandboxPlaces& places) {
  return fmt::format("{} {}{}\n{}\n{}\n", places.number, places.network[0] ? 'n' : '-',
                     places.ipc[0] ? 'i' : '-', places.tmp_directory, places.var_tmp_directory);
}

std::optional<PlacesRecord> parse_places(std::string_view text) {
  PlacesRecord record;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), record.number);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (error != std::errc() || record.number == 0 || text.size() < 4 || text[0] != ' ') return {};
  record.network = text[1] == 'n';
  record.ipc = text[2] == 'i';
  text.remove_prefix(3);
  std::array<std::string_view, 2> lines;
  for (std::string_view& line : lines) {
    if (text.empty() || text[0] != '\n') return {};
    text.remove_prefix(1);
    line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size());
  }
  record.tmp_directory = lines[0];
  record.var_tmp_directory = lines[1];
  return record;
}

PlacesWanted places_wanted(const ExecSettings& exec) {
  const sandbox::Settings& settings = *exec.sandbox;
  return {settings.private_tmp, settings.private_network && settings.network_namespace_path.empty(),
          settings.private_ipc && settings.ipc_namespace_path.empty()};
}

bool needs_helper(const ExecSettings& exec) {
  return exec.sandbox.is_set() || exec.has_other_root() || !exec.extras->utmp_identifier.empty();
}

sandbox::UtmpFiles utmp_files(const SandboxPaths& paths, const unit::HostValues& host) {
  return {paths.runtime + "/utmp", host.log_directory.value_or("/var/log") + "/wtmp"};
}

namespace {

void add_utmp(const ExecExtras& extras, sandbox::UtmpStart& start) {
  static_assert(static_cast<int>(UtmpMode::kUser) == static_cast<int>(sandbox::UtmpKind::kUser));
  start.id = extras.utmp_identifier;
  start.kind = static_cast<sandbox::UtmpKind>(extras.utmp_mode);
  std::string_view line = extras.tty_path;
  if (line.substr(0, 5) == "/dev/") line.remove_prefix(5);
  start.line = line;
}

}  // namespace

std::string credentials_directory(const SandboxPaths& paths, std::string_view unit) {
  return fmt::format("{}/credentials/{}", paths.runtime, unit);
}

namespace {

// The unit's own directories stay writable whatever ProtectSystem= says, and a dynamic user sees
// none but its own of those that are kept private.
void add_directories(const ExecSettings& exec, const unit::HostValues& host,
                     sandbox::MountFacts& mounts) {
  const DirectoryBases bases = directory_bases(host);
  for (size_t i = 0; i < kDirectoryKinds; ++i) {
    const auto kind = static_cast<DirectoryKind>(i);
    const auto& items = exec.extras->directories[i].items;
    if (bases[i].empty() || items.empty()) continue;
    const bool is_private = exec.sandbox->dynamic_user && is_private_kind(*exec.extras, kind);
    const std::string base = is_private ? private_base(bases[i]) : bases[i];
    if (is_private) mounts.empty_directories.push_back(base);
    for (const DirectorySetting::Item& item : items) {
      const std::string path = base + "/" + item.path;
      mounts.writable_directories.push_back(path);
      if (is_private) mounts.directory_binds.push_back({path, path});
    }
  }
}

}  // namespace

sandbox::Order make_order(const OrderInputs& inputs, ExecSpec& left) {
  const ExecSettings& exec = *inputs.settings.exec;
  sandbox::Order order;
  order.unit = inputs.settings.name.str();
  order.program = inputs.spec.path;
  for (const char* const* one = inputs.spec.argv; *one != nullptr; ++one) {
    order.arguments.emplace_back(*one);
  }
  left = inputs.spec;
  take_variables(inputs.spec, order);
  take_process(inputs.spec, order, left);
  order.user = inputs.unknown_user;
  order.group = inputs.unknown_group;
  order.supplementary_groups = inputs.unknown_groups;
  order.applies_user = is_applied(inputs.privilege);
  order.applies_sandbox = inputs.privilege != unit::Command::Privilege::kFull;
  order.settings = *exec.sandbox;
  if (order.applies_sandbox) {
    order.bounding_set = exec.extras->capability_bounding_set;
    order.ambient_set = exec.extras->ambient_capabilities & order.bounding_set;
    order.secure_bits = exec.extras->secure_bits;
  }

  sandbox::MountFacts& mounts = order.mounts;
  const bool has_root =
      !order.settings.root_directory_start_only || inputs.which == ServiceCommand::kStart;
  if (has_root) mounts.root_directory = exec.root_directory;
  mounts.runtime_directory = inputs.paths.runtime;
  if (inputs.host != nullptr && exec.extras->has_directories()) {
    add_directories(exec, *inputs.host, mounts);
  }
  mounts.notify_socket = inputs.notify_socket;
  mounts.credentials_directory = inputs.credentials_directory;
  order.writes_credentials = inputs.writes_credentials;
  order.credential_stores = inputs.paths.credential_stores;
  order.staging_directory = inputs.paths.runtime + "/systemd/unit-root";
  order.inaccessible_directory = inputs.paths.runtime + "/systemd/inaccessible";
  if (inputs.places != nullptr && order.settings.private_tmp) {
    mounts.tmp_directory = inputs.places->tmp_directory;
    mounts.var_tmp_directory = inputs.places->var_tmp_directory;
  }
  if (!exec.extras->utmp_identifier.empty() && inputs.host != nullptr) {
    order.utmp_files = utmp_files(inputs.paths, *inputs.host);
    add_utmp(*exec.extras, order.utmp);
  }
  order.passed_fds = inputs.spec.passed_fd_count;
  // Behind what the program gets: the order, the report, and the pairs that are there.
  auto next = static_cast<int32_t>(3 + order.passed_fds + 2);
  const bool shares = order.applies_sandbox && inputs.places != nullptr;
  if (shares && order.settings.private_network && inputs.places->network[0].is_open()) {
    order.network_store = next;
    next += 2;
  }
  if (shares && order.settings.private_ipc && inputs.places->ipc[0].is_open())
    order.ipc_store = next;
  return order;
}

}  // namespace flotilla::init
