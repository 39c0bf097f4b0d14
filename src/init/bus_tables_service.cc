// org.freedesktop.systemd1.Service: the table. What a service has in common with other kinds that
// run processes (environment, limits, signals) is in bus_tables_exec.cc.

#include <algorithm>
#include <array>
#include <vector>

#include "init/bus_methods.h"
#include "init/bus_property_order.h"
#include "init/bus_table.h"
#include "init/bus_tables_cgroup.h"
#include "init/bus_tables_exec.h"
#include "init/bus_tables_sandbox.h"
#include "init/bus_tables_unsupported.h"
#include "init/bus_write.h"
#include "init/directives_values.h"

namespace flotilla::init {
namespace {

using S = const BusSubject&;
using W = bus::MessageWriter&;

const ServiceSettings& service(S s) { return *s.unit->settings.service; }

// --- Words ---

std::string_view word(ServiceType type) {
  switch (type) {
    case ServiceType::kSimple:
      return "simple";
    case ServiceType::kExec:
      return "exec";
    case ServiceType::kForking:
      return "forking";
    case ServiceType::kOneshot:
      return "oneshot";
    case ServiceType::kDbus:
      return "dbus";
    case ServiceType::kNotify:
      return "notify";
    case ServiceType::kIdle:
      return "idle";
    case ServiceType::kNotifyReload:
      return "notify-reload";
  }
  return "";
}

std::string_view word(RestartSetting setting) {
  switch (setting) {
    case RestartSetting::kNo:
      return "no";
    case RestartSetting::kOnSuccess:
      return "on-success";
    case RestartSetting::kOnFailure:
      return "on-failure";
    case RestartSetting::kOnAbnormal:
      return "on-abnormal";
    case RestartSetting::kOnWatchdog:
      return "on-watchdog";
    case RestartSetting::kOnAbort:
      return "on-abort";
    case RestartSetting::kAlways:
      return "always";
  }
  return "";
}

std::string_view word(ExitType type) { return to_string(type); }
std::string_view word(OomPolicy policy) { return to_string(policy); }
std::string_view word(NotifyAccess access) {
  switch (access) {
    case NotifyAccess::kNone:
      return "none";
    case NotifyAccess::kMain:
      return "main";
    case NotifyAccess::kExec:
      return "exec";
    case NotifyAccess::kAll:
      return "all";
  }
  return "";
}

std::string_view word(TimeoutFailureMode mode) {
  switch (mode) {
    case TimeoutFailureMode::kTerminate:
      return "terminate";
    case TimeoutFailureMode::kAbort:
      return "abort";
    case TimeoutFailureMode::kKill:
      return "kill";
  }
  return "";
}

// --- Shapes ---

template <auto Setting>
void setting(S s, W w) {
  const auto& value = service(s).*Setting;
  using T = std::decay_t<decltype(value)>;
  if constexpr (std::is_same_v<T, bool>) {
    w.boolean(value);
  } else if constexpr (std::is_same_v<T, Micros>) {
    write_span(w, value);
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    w.u32(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    w.string(value);
  } else {
    w.string(word(value));
  }
}

template <ExitStatusSet ServiceExtras::*Set>
void exit_statuses(S s, W w) {
  const ExitStatusSet& set = service(s).extras.get().*Set;
  w.open_struct("aiai").open_array("i");
  for (const uint8_t status : set.statuses) w.i32(status);
  w.close().open_array("i");
  for (const int signal : set.signals) w.i32(signal);
  w.close().close();
}

void write_run(W w, const CommandRun& run) {
  write_wall(w, run.start);
  write_monotonic(w, run.start);
  write_wall(w, run.exit);
  write_monotonic(w, run.exit);
  w.u32(static_cast<uint32_t>(run.pid)).i32(run.code).i32(run.status);
}

ServiceCommands::Lines commands(S s, ServiceCommand which) {
  return s.unit->settings.commands[which];
}

template <ServiceCommand Which>
void command_lines(S s, W w) {
  w.open_array("(sasbttttuii)");
  size_t index = 0;
  for (const unit::Command& command : commands(s, Which)) {
    w.open_struct("sasbttttuii").string(command.path()).open_array("s");
    for (const std::string_view argument : command.argv) w.string(argument);
    w.close().boolean(command.ignore_failure);
    write_run(w, s.unit->command_run(Which, index++));
    w.close();
  }
  w.close();
}

template <ServiceCommand Which>
void command_lines_ex(S s, W w) {
  w.open_array("(sasasttttuii)");
  size_t index = 0;
  for (const unit::Command& command : commands(s, Which)) {
    w.open_struct("sasasttttuii").string(command.path()).open_array("s");
    for (const std::string_view argument : command.argv) w.string(argument);
    w.close().open_array("s");
    for (const std::string_view flag : unit::flag_names(command)) w.string(flag);
    w.close();
    write_run(w, s.unit->command_run(Which, index++));
    w.close();
  }
  w.close();
}

void write_timeout_abort(S s, W w) {
  write_span(w, service(s).timeout_abort.value_or(service(s).timeout_stop));
}

// A unit without a file has none.
bool is_there(S s) { return s.unit->settings.load_state != LoadState::kNotFound; }
void write_type(S s, W w) { w.string(is_there(s) ? word(service(s).type) : ""); }
void write_oom_policy(S s, W w) { w.string(is_there(s) ? word(service(s).oom_policy) : ""); }

constexpr Emits kConst = Emits::kConst;
constexpr Emits kNothing = Emits::kNothing;
constexpr Emits kValue = Emits::kValue;
constexpr Emits kInvalidates = Emits::kInvalidates;

constexpr BusProperty kOwnProperties[] = {
    {"Type", "s", kConst, write_type},
    {"ExitType", "s", kConst, setting<&ServiceSettings::exit_type>},
    {"Restart", "s", kConst, setting<&ServiceSettings::restart>},
    {"PIDFile", "s", kConst, [](S s, W w) { w.string(service(s).extras->pid_file); }},
    {"NotifyAccess", "s", kConst, setting<&ServiceSettings::notify_access>},
    {"RestartUSec", "t", kConst, setting<&ServiceSettings::restart_sec>},
    {"TimeoutStartUSec", "t", kConst, setting<&ServiceSettings::timeout_start>},
    {"TimeoutStopUSec", "t", kConst, setting<&ServiceSettings::timeout_stop>},
    {"TimeoutAbortUSec", "t", kNothing, write_timeout_abort},
    {"TimeoutStartFailureMode", "s", kConst, setting<&ServiceSettings::timeout_start_failure_mode>},
    {"TimeoutStopFailureMode", "s", kConst, setting<&ServiceSettings::timeout_stop_failure_mode>},
    {"RuntimeMaxUSec", "t", kConst, setting<&ServiceSettings::runtime_max>},
    {"RuntimeRandomizedExtraUSec", "t", kConst, setting<&ServiceSettings::runtime_extra>},
    {"WatchdogUSec", "t", kNothing, [](S s, W w) { write_span(w, s.unit->watchdog()); }},
    {"WatchdogTimestamp", "t", kNothing, [](S s, W w) { write_wall(w, s.unit->watchdog_time()); }},
    {"WatchdogTimestampMonotonic", "t", kNothing,
     [](S s, W w) { write_monotonic(w, s.unit->watchdog_time()); }},
    {"RootDirectoryStartOnly", "b", kConst, bus_sandbox::RootDirectoryStartOnly},
    {"RemainAfterExit", "b", kConst, setting<&ServiceSettings::remain_after_exit>},
    {"GuessMainPID", "b", kConst, setting<&ServiceSettings::guess_main_pid>},
    {"RestartPreventExitStatus", "(aiai)", kConst, exit_statuses<&ServiceExtras::restart_prevent>},
    {"RestartForceExitStatus", "(aiai)", kConst, exit_statuses<&ServiceExtras::restart_force>},
    {"SuccessExitStatus", "(aiai)", kConst, exit_statuses<&ServiceExtras::success_status>},
    {"MainPID", "u", kValue, [](S s, W w) { w.u32(static_cast<uint32_t>(s.unit->main_pid())); }},
    {"ControlPID", "u", kValue,
     [](S s, W w) { w.u32(static_cast<uint32_t>(s.unit->control_pid())); }},
    {"BusName", "s", kConst, [](S s, W w) { w.string(service(s).extras->bus_name); }},
    {"FileDescriptorStoreMax", "u", kConst, setting<&ServiceSettings::fd_store_max>},
    {"NFileDescriptorStore", "u", kNothing, [](S s, W w) { w.u32(s.unit->n_fd_store()); }},
    {"StatusText", "s", kValue, [](S s, W w) { w.string(s.unit->status_text()); }},
    {"StatusErrno", "i", kValue, [](S s, W w) { w.i32(s.unit->status_errno()); }},
    {"Result", "s", kValue, [](S s, W w) { w.string(s.unit->result()); }},
    {"ReloadResult", "s", kValue, [](S s, W w) { w.string(s.unit->reload_result()); }},
    {"CleanResult", "s", kValue, [](S s, W w) { w.string(s.unit->clean_result()); }},
    {"UID", "u", kValue, [](S s, W w) { w.u32(s.unit->uid()); }},
    {"GID", "u", kValue, [](S s, W w) { w.u32(s.unit->gid()); }},
    {"NRestarts", "u", kValue, [](S s, W w) { w.u32(s.unit->n_restarts()); }},
    {"OOMPolicy", "s", kConst, write_oom_policy},
    {"ReloadSignal", "i", kConst, [](S s, W w) { w.i32(service(s).reload_signal); },
     [](S s) { return service(s).type == ServiceType::kNotifyReload; }},
    {"ExecMainStartTimestamp", "t", kValue,
     [](S s, W w) { write_wall(w, s.unit->main_run().start); }},
    {"ExecMainStartTimestampMonotonic", "t", kValue,
     [](S s, W w) { write_monotonic(w, s.unit->main_run().start); }},
    {"ExecMainExitTimestamp", "t", kValue,
     [](S s, W w) { write_wall(w, s.unit->main_run().exit); }},
    {"ExecMainExitTimestampMonotonic", "t", kValue,
     [](S s, W w) { write_monotonic(w, s.unit->main_run().exit); }},
    {"ExecMainPID", "u", kValue,
     [](S s, W w) { w.u32(static_cast<uint32_t>(s.unit->main_run().pid)); }},
    {"ExecMainCode", "i", kValue, [](S s, W w) { w.i32(s.unit->main_run().code); }},
    {"ExecMainStatus", "i", kValue, [](S s, W w) { w.i32(s.unit->main_run().status); }},
    {"ExecCondition", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kCondition>},
    {"ExecConditionEx", "a(sasasttttuii)", kInvalidates,
     command_lines_ex<ServiceCommand::kCondition>},
    {"ExecStartPre", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kStartPre>},
    {"ExecStartPreEx", "a(sasasttttuii)", kInvalidates,
     command_lines_ex<ServiceCommand::kStartPre>},
    {"ExecStart", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kStart>},
    {"ExecStartEx", "a(sasasttttuii)", kInvalidates, command_lines_ex<ServiceCommand::kStart>},
    {"ExecStartPost", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kStartPost>},
    {"ExecStartPostEx", "a(sasasttttuii)", kInvalidates,
     command_lines_ex<ServiceCommand::kStartPost>},
    {"ExecReload", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kReload>},
    {"ExecReloadEx", "a(sasasttttuii)", kInvalidates, command_lines_ex<ServiceCommand::kReload>},
    {"ExecStop", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kStop>},
    {"ExecStopEx", "a(sasasttttuii)", kInvalidates, command_lines_ex<ServiceCommand::kStop>},
    {"ExecStopPost", "a(sasbttttuii)", kInvalidates, command_lines<ServiceCommand::kStopPost>},
    {"ExecStopPostEx", "a(sasasttttuii)", kInvalidates,
     command_lines_ex<ServiceCommand::kStopPost>},
};

// Its own properties and those of everything that runs processes, in one table.
constexpr auto kServiceProperties = [] {
  constexpr size_t kSize = std::size(kOwnProperties) + kBusCgroupProperties.size() +
                           kBusExecProperties.size() + kBusUnsupportedProperties.size();
  std::array<BusProperty, kSize> all{};
  size_t next = 0;
  for (const BusProperty& property : kOwnProperties) all[next++] = property;
  for (const BusProperty& property : kBusCgroupProperties) all[next++] = property;
  for (const BusProperty& property : kBusExecProperties) all[next++] = property;
  for (const BusProperty& property : kBusUnsupportedProperties) all[next++] = property;
  return in_order(all, kServicePropertyOrder);
}();

constexpr BusMethod kServiceMethods[] = {
    {"GetProcesses", "", "a(sus)", Access::kRead, bus_unit_get_processes},
    {"AttachProcesses", "sau", "", Access::kChange, bus_unit_attach_processes},
};

constexpr BusMethod kOwnServiceMethods[] = {
    {"BindMount", "ssbb", "", Access::kChange, bus_service_bind_mount},
    {"MountImage", "ssbba(ss)", "", Access::kChange, bus_service_mount_image},
    {"GetProcesses", "", "a(sus)", Access::kRead, bus_unit_get_processes},
    {"AttachProcesses", "sau", "", Access::kChange, bus_unit_attach_processes},
};

constexpr BusMethod kScopeMethods[] = {
    {"Abandon", "", "", Access::kChange, bus_scope_abandon},
    {"GetProcesses", "", "a(sus)", Access::kRead, bus_unit_get_processes},
    {"AttachProcesses", "sau", "", Access::kChange, bus_unit_attach_processes},
};
// For whoever is named by Controller=.
constexpr BusSignal kScopeSignals[] = {{"RequestStop", ""}};

constexpr BusInterface kServiceInterface{
    "org.freedesktop.systemd1.Service", kServiceProperties, kOwnServiceMethods, {}};

constexpr BusInterface kSliceInterface{
    "org.freedesktop.systemd1.Slice", kBusCgroupProperties, kServiceMethods, {}};

constexpr BusProperty kOwnScopeProperties[] = {
    {"Controller", "s", kNothing, [](S, W w) { w.string(""); }},
    {"TimeoutStopUSec", "t", kConst, setting<&ServiceSettings::timeout_stop>},
    {"Result", "s", kValue, [](S s, W w) { w.string(s.unit->result()); }},
    {"RuntimeMaxUSec", "t", kConst, setting<&ServiceSettings::runtime_max>},
    {"RuntimeRandomizedExtraUSec", "t", kConst, setting<&ServiceSettings::runtime_extra>},
    {"OOMPolicy", "s", kConst, write_oom_policy},
};

constexpr BusProperty kScopeKillProperties[] = {
    {"KillMode", "s", Emits::kConst, bus_exec::kill_mode},
    {"KillSignal", "i", Emits::kConst, bus_exec::kill_signal},
    {"RestartKillSignal", "i", Emits::kConst, bus_exec::restart_kill_signal},
    {"FinalKillSignal", "i", Emits::kConst, bus_exec::final_kill_signal},
    {"SendSIGKILL", "b", Emits::kConst, bus_exec::send_sigkill},
    {"SendSIGHUP", "b", Emits::kConst, bus_exec::send_sighup},
    {"WatchdogSignal", "i", Emits::kConst, bus_exec::watchdog_signal},
};

constexpr auto kScopeProperties = [] {
  constexpr size_t kSize = std::size(kOwnScopeProperties) + kBusCgroupProperties.size() +
                           std::size(kScopeKillProperties);
  std::array<BusProperty, kSize> all{};
  size_t next = 0;
  for (const BusProperty& property : kOwnScopeProperties) all[next++] = property;
  for (const BusProperty& property : kBusCgroupProperties) all[next++] = property;
  for (const BusProperty& property : kScopeKillProperties) all[next++] = property;
  return all;
}();

constexpr BusInterface kScopeInterface{"org.freedesktop.systemd1.Scope", kScopeProperties,
                                       kScopeMethods, kScopeSignals};

// Kinds of unit of which the manager knows nothing but what all units have.
#define FLOTILLA_BARE(name)                       \
  constexpr BusInterface name {                   \
    "org.freedesktop.systemd1." #name, {}, {}, {} \
  }
namespace bare {
FLOTILLA_BARE(Swap);
FLOTILLA_BARE(Target);
FLOTILLA_BARE(Device);
FLOTILLA_BARE(Automount);
FLOTILLA_BARE(Timer);
FLOTILLA_BARE(Path);
}  // namespace bare
#undef FLOTILLA_BARE

void write_listens(S s, W w) {
  w.open_array("(ss)");
  for (const auto& [kind, address] : *s.unit->settings.extras->listens) {
    w.open_struct("ss").string(kind).string(address).close();
  }
  w.close();
}
constexpr BusProperty kSocketProperties[] = {{"Listen", "a(ss)", kConst, write_listens}};
constexpr BusInterface kSocketInterface{
    "org.freedesktop.systemd1.Socket", kSocketProperties, {}, {}};

}  // namespace

// They stand behind those of the service itself.
std::span<const BusProperty> bus_process_properties() {
  const std::span<const BusProperty> all = kServiceProperties;
  const auto first = std::find_if(all.begin(), all.end(),
                                  [](const BusProperty& row) { return row.name == "Slice"; });
  return all.subspan(static_cast<size_t>(first - all.begin()));
}

bool bus_unsupported::is_unset(const BusSubject& s, std::string_view name) {
  const auto& ignored = s.unit->settings.extras->ignored_directives;
  return std::none_of(ignored.begin(), ignored.end(), [&](const std::string& directive) {
    return std::string_view(directive).substr(directive.find('.') + 1) == name;
  });
}

const BusInterface& bus_type_interface(unit::UnitType type) {
  using unit::UnitType;
  switch (type) {
    case UnitType::kService:
      return kServiceInterface;
    case UnitType::kMount:
      return bus_mount_interface();
    case UnitType::kSwap:
      return bare::Swap;
    case UnitType::kSocket:
      return kSocketInterface;
    case UnitType::kTarget:
      break;
    case UnitType::kDevice:
      return bare::Device;
    case UnitType::kAutomount:
      return bare::Automount;
    case UnitType::kTimer:
      return bare::Timer;
    case UnitType::kPath:
      return bare::Path;
    case UnitType::kSlice:
      return kSliceInterface;
    case UnitType::kScope:
      return kScopeInterface;
  }
  return bare::Target;
}

}  // namespace flotilla::init
