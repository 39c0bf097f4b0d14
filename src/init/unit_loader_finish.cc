// The last step of loading: defaults that depend on other settings, checks, and the implicit and
// default dependencies.
#include <algorithm>
#include <tuple>
#include <utility>

#include "init/cgroup_settings.h"
#include "init/exec_directories.h"
#include "init/sandbox_defaults.h"
#include "init/unit_loader.h"

namespace flotilla::init {
namespace {

using unit::UnitName;
using unit::UnitType;

void stop_at_shutdown(UnitSettings& settings) {
  add_dependency(settings, Dependency::kConflicts, "shutdown.target");
  add_dependency(settings, Dependency::kBefore, "shutdown.target");
}

void come_after_sysinit(UnitSettings& settings, ManagerScope scope) {
  if (scope == ManagerScope::kSystem) {
    add_dependency(settings, Dependency::kRequires, "sysinit.target");
    add_dependency(settings, Dependency::kAfter, "sysinit.target");
  } else {
    add_dependency(settings, Dependency::kRequires, "basic.target");
  }
}

// A unit runs in a slice, and a slice in those its name begins with.
void need_slice(UnitSettings& settings) {
  const std::string slice = slice_of(settings);
  if (slice.empty()) return;
  add_dependency(settings, Dependency::kRequires, slice);
  add_dependency(settings, Dependency::kAfter, slice);
}

void add_default_dependencies(UnitSettings& settings, ManagerScope scope) {
  switch (settings.name.type()) {
    case UnitType::kService:
      come_after_sysinit(settings, scope);
      add_dependency(settings, Dependency::kAfter, "basic.target");
      return stop_at_shutdown(settings);
    case UnitType::kSocket:
      come_after_sysinit(settings, scope);
      add_dependency(settings, Dependency::kBefore, "sockets.target");
      return stop_at_shutdown(settings);
    case UnitType::kTimer:
      come_after_sysinit(settings, scope);
      add_dependency(settings, Dependency::kBefore, "timers.target");
      return stop_at_shutdown(settings);
    case UnitType::kPath:
      come_after_sysinit(settings, scope);
      add_dependency(settings, Dependency::kBefore, "paths.target");
      return stop_at_shutdown(settings);
    case UnitType::kTarget:
      // The After= on what a target wants is the graph's: it depends on the other unit.
    case UnitType::kSlice:
    case UnitType::kScope:
      return stop_at_shutdown(settings);
    case UnitType::kMount:
    case UnitType::kSwap:
    case UnitType::kDevice:
    case UnitType::kAutomount:
      return;
  }
}

// The service that a socket is for: what Service= says, or the one of its name.
void add_triggered_service(UnitSettings& settings) {
  constexpr auto kTriggers = static_cast<size_t>(Dependency::kTriggers);
  if (std::as_const(settings.dependencies)[kTriggers].empty()) {
    const auto service = settings.name.with_type(UnitType::kService);
    if (service) settings.dependencies[kTriggers] = {*service};
  }
  for (const UnitName& service : std::as_const(settings.dependencies)[kTriggers]) {
    add_dependency(settings, Dependency::kBefore, service.str());
  }
}

// The reason a service cannot be used; empty: it can.
std::string_view find_contradiction(const UnitSettings& settings) {
  const ServiceSettings& service = *settings.service;
  const bool acts = settings.extras->actions->success != EmergencyAction::kNone;
  const auto start = settings.commands[ServiceCommand::kStart];
  const auto stop = settings.commands[ServiceCommand::kStop];
  const bool is_oneshot = service.type == ServiceType::kOneshot;
  if (start.empty() && stop.empty() && !acts) {
    return "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.";
  }
  if (!is_oneshot && start.empty()) {
    return "Service has no ExecStart= setting, which is only allowed for Type=oneshot services. "
           "Refusing.";
  }
  if (!service.remain_after_exit && start.empty() && !acts) {
    return "Service has no ExecStart= and no SuccessAction= settings and does not have "
           "RemainAfterExit=yes set. Refusing.";
  }
  if (!is_oneshot && start.size() > 1) {
    return "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot "
           "services. Refusing.";
  }
  if (is_oneshot && (service.restart == RestartSetting::kAlways ||
                     service.restart == RestartSetting::kOnSuccess)) {
    return "Service has Restart= set to either always or on-success, which isn't allowed for "
           "Type=oneshot services. Refusing.";
  }
  if (is_oneshot && service.exit_type == ExitType::kCgroup) {
    return "Service has ExitType=cgroup set, which isn't allowed for Type=oneshot services. "
           "Refusing.";
  }
  if (is_oneshot && !service.extras->restart_force.empty()) {
    return "Service has RestartForceExitStatus= set, which isn't allowed for Type=oneshot "
           "services. Refusing.";
  }
  if (service.type == ServiceType::kDbus && service.extras->bus_name.empty()) {
    return "Service is of type D-Bus but no D-Bus service name has been specified. Refusing.";
  }
  return {};
}

// Two-way streams answer where they ask unless they are told otherwise; any other input leaves
// "inherit" without a meaning, and the default takes its place.
void finish_streams(ExecSettings& exec, const SettingMarks& marks) {
  using StreamKind = StreamSetting::Kind;
  if (exec.standard_input.kind == StreamKind::kNull && !exec.extras->standard_input_data.empty()) {
    exec.standard_input.kind = StreamKind::kData;
  }
  const StreamKind input = exec.standard_input.kind;
  const bool is_two_way =
      input == StreamKind::kSocket || input == StreamKind::kTty || input == StreamKind::kFd;
  if (is_two_way && !marks.standard_output) exec.standard_output = {StreamKind::kInherit, {}};
  if (!is_two_way && exec.standard_output.kind == StreamKind::kInherit) {
    exec.standard_output = {StreamKind::kJournal, {}};
  }
}

// PermissionsStartOnly=: User= and the sandbox are for ExecStart= alone, as if all other commands
// had the prefix "+". Nobody writes it any more, so that the units need not remember it.
void free_other_commands(ServiceCommands& commands) {
  for (ServiceCommands::Line& line : commands) {
    if (line.kind != ServiceCommand::kStart) line.is_freed = true;
  }
}

void finish_service(UnitSettings& settings, const SettingMarks& marks) {
  ServiceSettings& service = settings.service.edit();
  if (marks.permissions_start_only) free_other_commands(settings.commands);
  // No type but a command is simple; no type and no command can only be a oneshot.
  if (!marks.type) {
    const auto start = settings.commands[ServiceCommand::kStart];
    if (!service.extras->bus_name.empty()) {
      service.type = ServiceType::kDbus;
    } else if (start.empty()) {
      service.type = ServiceType::kOneshot;
    }
  }
  if (service.type == ServiceType::kOneshot && !marks.timeout_start) {
    service.timeout_start = kInfinity;
  }
  // What was given a part of the tree deals with its processes itself.
  if (!marks.oom_policy && settings.extras->cgroup && settings.extras->cgroup->delegate) {
    service.oom_policy = OomPolicy::kContinue;
  }
  const bool must_hear =
      says_ready(service.type) || service.watchdog.count() > 0 || service.fd_store_max > 0;
  if (must_hear && service.notify_access == NotifyAccess::kNone) {
    service.notify_access = NotifyAccess::kMain;
  }
  // Who has a part of the tree to itself decides itself what a killed process of it means.
  const bool delegates = settings.extras->cgroup && settings.extras->cgroup->delegate;
  if (delegates && !marks.oom_policy) service.oom_policy = OomPolicy::kContinue;
  if (settings.kill.restart_kill_signal == 0) {
    settings.kill.restart_kill_signal = settings.kill.kill_signal;
  }
  if (settings.exec.is_set()) finish_streams(settings.exec.edit(), marks);
}

}  // namespace

void add_dependency(UnitSettings& settings, Dependency kind, std::string_view on) {
  auto name = UnitName::parse(on);
  if (!name || *name == settings.name) return;
  auto& list = settings.dependencies[static_cast<size_t>(kind)];
  if (std::find(list.begin(), list.end(), *name) == list.end()) list.push_back(std::move(*name));
}

void refuse(UnitSettings& settings, std::string_view reason) {
  settings.load_state = LoadState::kBadSetting;
  settings.extras.edit().load_error_bus_name = "org.freedesktop.systemd1.BadUnitSetting";
  settings.extras.edit().load_error =
      "Unit " + settings.name.str() + " has a bad unit file setting.";
  if (!reason.empty())
    settings.extras.edit().warnings.push_back(settings.name.str() + ": " + std::string(reason));
}

std::string UnitSettings::fragment_path() const {
  if (fragment_directory.empty()) return {};
  const std::string_view file = fragment_name.empty() ? name.str() : fragment_name.view();
  return fragment_directory.str().append("/").append(file);
}

void UnitSettings::set_fragment(SharedText directory, std::string_view file_name) {
  fragment_directory = std::move(directory);
  fragment_name = file_name == name.str() ? SharedText() : SharedText(file_name);
}

std::string slice_of(const UnitSettings& settings) {
  switch (settings.name.type()) {
    case UnitType::kSlice: {
      if (settings.name.str() == "-.slice") return {};
      const std::string stem(settings.name.stem());
      const size_t dash = stem.rfind('-');
      return dash == std::string::npos ? "-.slice" : stem.substr(0, dash) + ".slice";
    }
    case UnitType::kScope:
      if (settings.name.str() == "init.scope") return "-.slice";
      return settings.slice.str();
    case UnitType::kService:
    case UnitType::kSocket:
    case UnitType::kMount:
    case UnitType::kSwap:
      return settings.slice.str();
    case UnitType::kTarget:
    case UnitType::kDevice:
    case UnitType::kAutomount:
    case UnitType::kTimer:
    case UnitType::kPath:
      break;
  }
  return {};
}

void require_exec_mounts(UnitSettings& settings, const unit::HostValues& host) {
  if (settings.name.type() != UnitType::kService) return;
  const auto add = [&](const std::string& path) {
    const auto& paths = settings.extras->requires_mounts_for;
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) return;
    settings.extras.edit().requires_mounts_for.push_back(path);
  };
  const ExecSettings& exec = *settings.exec;
  // A directory that may be missing is not waited for.
  if (!exec.working_directory.empty() && exec.working_directory[0] == '/' &&
      !exec.working_directory_missing_ok) {
    add(exec.working_directory);
  }
  if (!exec.extras->has_directories()) return;
  const DirectoryBases bases = directory_bases(host);
  for (size_t i = 0; i < kDirectoryKinds; ++i) {
    if (bases[i].empty()) continue;
    for (const DirectorySetting::Item& item : exec.extras->directories[i].items) {
      add(bases[i] + "/" + item.path);
    }
    // These are written to, and may lie on a root that is mounted read-only first.
    const auto kind = static_cast<DirectoryKind>(i);
    const bool is_written = kind == DirectoryKind::kState || kind == DirectoryKind::kCache ||
                            kind == DirectoryKind::kLogs;
    if (is_written && !exec.extras->directories[i].items.empty()) {
      add_dependency(settings, Dependency::kAfter, "systemd-remount-fs.service");
    }
  }
}

void finish_settings(UnitSettings& settings, const SettingMarks& marks, ManagerScope scope) {
  if (settings.name.type() == UnitType::kService) {
    finish_service(settings, marks);
    finish_sandbox(settings);
    for (const StreamSetting* stream :
         {&settings.exec->standard_output, &settings.exec->standard_error}) {
      if (stream->kind != StreamSetting::Kind::kJournal &&
          stream->kind != StreamSetting::Kind::kKmsg) {
        continue;
      }
      add_dependency(settings, Dependency::kAfter, "systemd-journald.socket");
    }
    if (settings.service->type == ServiceType::kDbus &&
        !settings.service->extras->bus_name.empty()) {
      add_dependency(settings, Dependency::kRequires, "dbus.socket");
      add_dependency(settings, Dependency::kAfter, "dbus.socket");
    }
    const std::string_view contradiction = find_contradiction(settings);
    if (!contradiction.empty()) refuse(settings, contradiction);
  }
  if (settings.name.type() == UnitType::kScope) {
    // To the machine of services it is one whose main process nobody knows, and that never
    // restarts.
    ServiceSettings& service = settings.service.edit();
    service.type = ServiceType::kForking;
    service.guess_main_pid = false;
    if (settings.kill.restart_kill_signal == 0) {
      settings.kill.restart_kill_signal = settings.kill.kill_signal;
    }
  }
  if (settings.name.type() == UnitType::kSocket && settings.load_state == LoadState::kLoaded) {
    add_triggered_service(settings);
  }
  for (const auto& [kind, mode, name] :
       {std::tuple(Dependency::kOnFailure, settings.on_failure_job_mode, "OnFailure"),
        std::tuple(Dependency::kOnSuccess, settings.on_success_job_mode, "OnSuccess")}) {
    const auto& handlers = settings.dependencies[static_cast<size_t>(kind)];
    if (mode != JobMode::kIsolate || handlers.size() <= 1) continue;
    return refuse(settings, std::string("More than one ") + name + "= dependencies specified but " +
                                name + "JobMode=isolate set. Refusing.");
  }
  // Nobody can hold back a device.
  constexpr auto kBefore = static_cast<size_t>(Dependency::kBefore);
  if (!std::as_const(settings.dependencies)[kBefore].empty()) {
    auto& before = settings.dependencies[kBefore];
    before.erase(
        std::remove_if(before.begin(), before.end(),
                       [](const UnitName& other) { return other.type() == UnitType::kDevice; }),
        before.end());
  }
  if (settings.load_state == LoadState::kLoaded) need_slice(settings);
  if (settings.default_dependencies) add_default_dependencies(settings, scope);
}

}  // namespace flotilla::init
