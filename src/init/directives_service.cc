// Parsers of [Service] that concern the service itself and how it is killed.
#include <algorithm>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "unit/command_line.h"
#include "unit/exit_status.h"
#include "unit/scalar.h"
#include "unit/signal_name.h"
#include "unit/time_span.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

template <bool ServiceSettings::*Member>
void parse_flag(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value)) settings.service.edit().*Member = *flag;
}

template <bool KillSettings::*Member>
void parse_kill_flag(UnitSettings& settings, const SettingContext& context,
                     std::string_view value) {
  if (const auto flag = context.read_flag(value)) settings.kill.*Member = *flag;
}

template <uint8_t KillSettings::*Member>
void parse_kill_signal(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  const auto signal = unit::find_signal(value);
  if (!signal) return context.warn_bad_value(value);
  settings.kill.*Member = static_cast<uint8_t>(*signal);
}

void parse_kill_mode_setting(UnitSettings& settings, const SettingContext& context,
                             std::string_view value) {
  const auto mode = value.empty() ? KillMode::kControlGroup : parse_kill_mode(value);
  if (!mode) return context.warn_bad_value(value);
  settings.kill.mode = *mode;
}

template <ServiceCommand Which>
void parse_command(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return settings.commands.clear(Which);
  auto commands = unit::parse_command_line(value, context.specifiers, context.reporter);
  if (!commands) {
    return context.end_file(commands.error().message);
  }
  for (unit::Command& command : *commands) settings.commands.add(Which, std::move(command));
}

void parse_permissions_start_only(UnitSettings&, const SettingContext& context,
                                  std::string_view value) {
  const auto is_set = unit::parse_boolean(value);
  if (!is_set) return context.warn_bad_value(value);
  context.marks.permissions_start_only = *is_set;
}

template <Micros ServiceSettings::*Member>
void parse_span(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto span = unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  settings.service.edit().*Member = *span;
}

// 0 and nothing at all mean "no limit".
std::optional<Micros> read_timeout(const SettingContext& context, std::string_view value) {
  const auto span = unit::parse_timeout(value);
  if (span) return *span;
  context.warn_bad_value(value);
  return std::nullopt;
}

void parse_timeout_start(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  if (const auto span = read_timeout(context, value)) {
    settings.service.edit().timeout_start = *span;
    context.marks.timeout_start = true;
  }
}

void parse_timeout_stop(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  if (const auto span = read_timeout(context, value)) {
    settings.service.edit().timeout_stop = *span;
    context.marks.timeout_stop = true;
  }
}

void parse_timeout_both(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  parse_timeout_start(settings, context, value);
  parse_timeout_stop(settings, context, value);
}

void parse_timeout_abort(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  if (value.empty()) return settings.service.edit().timeout_abort.reset();
  const auto span = unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  settings.service.edit().timeout_abort = *span;
}

void parse_runtime_max(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  const auto span = unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  settings.service.edit().runtime_max = *span;
}

template <TimeoutFailureMode ServiceSettings::*Member>
void parse_failure_mode(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  const auto mode = parse_timeout_failure_mode(value);
  if (!mode) return context.warn_bad_value(value);
  settings.service.edit().*Member = *mode;
}

void parse_type(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto type = parse_service_type(value);
  if (!type) {
    return context.reporter.warn("Failed to parse service type, ignoring: {}", value);
  }
  settings.service.edit().type = *type;
  context.marks.type = true;
}

void parse_restart_setting(UnitSettings& settings, const SettingContext& context,
                           std::string_view value) {
  const auto restart = parse_restart(value);
  if (!restart) {
    return context.reporter.warn("Failed to parse service restart specifier, ignoring: {}", value);
  }
  settings.service.edit().restart = *restart;
}

void parse_notify_access_setting(UnitSettings& settings, const SettingContext& context,
                                 std::string_view value) {
  const auto access = parse_notify_access(value);
  if (!access) {
    return context.reporter.warn("Failed to parse notify access specifier, ignoring: {}", value);
  }
  settings.service.edit().notify_access = *access;
  context.marks.notify_access = true;
}

void parse_exit_type_setting(UnitSettings& settings, const SettingContext& context,
                             std::string_view value) {
  const auto type = parse_exit_type(value);
  if (!type) return context.reporter.warn("Failed to parse service exit type, ignoring: {}", value);
  settings.service.edit().exit_type = *type;
}

void parse_oom_policy_setting(UnitSettings& settings, const SettingContext& context,
                              std::string_view value) {
  const auto policy = parse_oom_policy(value);
  if (!policy) return context.reporter.warn("Failed to parse OOM policy, ignoring: {}", value);
  settings.service.edit().oom_policy = *policy;
  context.marks.oom_policy = true;
}

void parse_reload_signal(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  const auto signal = unit::find_signal(value);
  if (!signal) return context.warn_bad_value(value);
  settings.service.edit().reload_signal = static_cast<uint8_t>(*signal);
}

template <ExitStatusSet ServiceExtras::*Member>
void parse_exit_statuses(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  ExitStatusSet& set = settings.service.edit().extras.edit().*Member;
  if (value.empty()) {
    set = {};
    return;
  }
  auto words = unit::split_words(value);
  if (!words) return context.warn_bad_value(value);
  for (const std::string& word : *words) {
    if (const auto status = unit::find_exit_status(word)) {
      const auto code = static_cast<uint8_t>(*status);
      // In their order, as they are shown.
      const auto place = std::lower_bound(set.statuses.begin(), set.statuses.end(), code);
      if (place == set.statuses.end() || *place != code) set.statuses.insert(place, code);
    } else if (const auto signal = unit::find_signal(word)) {
      const auto place = std::lower_bound(set.signals.begin(), set.signals.end(), *signal);
      if (place == set.signals.end() || *place != *signal) set.signals.insert(place, *signal);
    } else {
      context.reporter.warn("Failed to parse value, ignoring: {}", word);
    }
  }
}

void parse_pid_file(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return settings.service.edit().extras.edit().pid_file.clear();
  const auto text = unit::expand_specifiers(value, context.specifiers);
  if (!text) return context.warn_bad_value(value);
  // A relative path is one under the run-time directory.
  std::string whole = *text;
  if (whole[0] != '/') {
    const auto runtime = unit::expand_specifiers("%t", context.specifiers);
    if (!runtime) return context.warn_bad_value(value);
    whole = *runtime + "/" + whole;
  }
  auto path = parse_absolute_path(whole);
  if (!path) {
    context.marks.is_load_error = true;
    return context.end_file("PIDFile= path is not normalized: " + whole);
  }
  // Where /run was before it was there, and what many files still say.
  constexpr std::string_view kLegacy = "/var/run/";
  if (path->compare(0, kLegacy.size(), kLegacy) == 0) {
    path->erase(0, 4);
    context.reporter.warn(
        "PIDFile= references a path below legacy directory /var/run/, updating "
        "{} to {}; please update the unit file accordingly.",
        whole, *path);
  }
  settings.service.edit().extras.edit().pid_file = std::move(*path);
}

// Two or more parts with dots between them, none of which begins with a digit.
bool is_bus_name(std::string_view name) {
  if (name.empty() || name.size() > 255) return false;
  size_t parts = 0;
  for (std::string_view rest = name; parts == 0 || !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    const bool is_last = part.size() == rest.size();
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (part.empty() || (part[0] >= '0' && part[0] <= '9') || (!is_last && rest.empty())) {
      return false;
    }
    const bool is_good = std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    });
    if (!is_good) return false;
    ++parts;
  }
  return parts >= 2;
}

void parse_bus_name(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto text = unit::expand_specifiers(value, context.specifiers);
  if (!text) return context.warn_bad_value(value);
  if (!is_bus_name(*text)) {
    return context.reporter.warn("Invalid bus name, ignoring: {}", *text);
  }
  settings.service.edit().extras.edit().bus_name = *text;
}

void parse_fd_store_max(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  const auto number = unit::parse_integer(value, 0, UINT32_MAX);
  if (!number) return context.warn_bad_value(value);
  settings.service.edit().fd_store_max = static_cast<uint32_t>(*number);
}

// [Service] carried these before [Unit] did.
void parse_start_limit_interval(UnitSettings& settings, const SettingContext& context,
                                std::string_view value) {
  const auto span = unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  settings.limits.edit().start_interval = *span;
}

void parse_start_limit_burst(UnitSettings& settings, const SettingContext& context,
                             std::string_view value) {
  const auto number = unit::parse_integer(value, 0, UINT32_MAX);
  if (!number) return context.warn_bad_value(value);
  settings.limits.edit().start_burst = static_cast<uint32_t>(*number);
}

constexpr NamedParser kParsers[] = {
    {"BusName", parse_bus_name},
    {"ExecCondition", parse_command<ServiceCommand::kCondition>},
    {"ExecReload", parse_command<ServiceCommand::kReload>},
    {"ExecStart", parse_command<ServiceCommand::kStart>},
    {"ExecStartPost", parse_command<ServiceCommand::kStartPost>},
    {"ExecStartPre", parse_command<ServiceCommand::kStartPre>},
    {"ExecStop", parse_command<ServiceCommand::kStop>},
    {"ExecStopPost", parse_command<ServiceCommand::kStopPost>},
    {"ExitType", parse_exit_type_setting},
    {"FileDescriptorStoreMax", parse_fd_store_max},
    {"FinalKillSignal", parse_kill_signal<&KillSettings::final_kill_signal>},
    {"GuessMainPID", parse_flag<&ServiceSettings::guess_main_pid>},
    {"KillMode", parse_kill_mode_setting},
    {"KillSignal", parse_kill_signal<&KillSettings::kill_signal>},
    {"NonBlocking", parse_flag<&ServiceSettings::non_blocking>},
    {"NotifyAccess", parse_notify_access_setting},
    {"OOMPolicy", parse_oom_policy_setting},
    {"PIDFile", parse_pid_file},
    {"PermissionsStartOnly", parse_permissions_start_only},
    {"ReloadSignal", parse_reload_signal},
    {"RemainAfterExit", parse_flag<&ServiceSettings::remain_after_exit>},
    {"Restart", parse_restart_setting},
    {"RestartForceExitStatus", parse_exit_statuses<&ServiceExtras::restart_force>},
    {"RestartKillSignal", parse_kill_signal<&KillSettings::restart_kill_signal>},
    {"RestartPreventExitStatus", parse_exit_statuses<&ServiceExtras::restart_prevent>},
    {"RestartSec", parse_span<&ServiceSettings::restart_sec>},
    {"RuntimeMaxSec", parse_runtime_max},
    {"RuntimeRandomizedExtraSec", parse_span<&ServiceSettings::runtime_extra>},
    {"SendSIGHUP", parse_kill_flag<&KillSettings::send_sighup>},
    {"SendSIGKILL", parse_kill_flag<&KillSettings::send_sigkill>},
    {"StartLimitBurst", parse_start_limit_burst},
    {"StartLimitInterval", parse_start_limit_interval},
    {"SuccessExitStatus", parse_exit_statuses<&ServiceExtras::success_status>},
    {"TimeoutAbortSec", parse_timeout_abort},
    {"TimeoutSec", parse_timeout_both},
    {"TimeoutStartFailureMode", parse_failure_mode<&ServiceSettings::timeout_start_failure_mode>},
    {"TimeoutStartSec", parse_timeout_start},
    {"TimeoutStopFailureMode", parse_failure_mode<&ServiceSettings::timeout_stop_failure_mode>},
    {"TimeoutStopSec", parse_timeout_stop},
    {"Type", parse_type},
    {"WatchdogSec", parse_span<&ServiceSettings::watchdog>},
    {"WatchdogSignal", parse_kill_signal<&KillSettings::watchdog_signal>},
};

}  // namespace

std::span<const NamedParser> service_section_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
