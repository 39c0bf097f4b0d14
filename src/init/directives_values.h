// Readers of the small values of directives: booleans, signals, exit statuses, limits, streams.
// Each returns nothing where the text is no such value. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "init/unit_settings.h"

namespace flotilla::init {

// "notice", or 0 to 7.
std::optional<int> parse_syslog_level(std::string_view text);
std::string_view syslog_level_name(int level);  // empty: there is no such level

std::optional<ServiceType> parse_service_type(std::string_view text);
std::optional<RestartSetting> parse_restart(std::string_view text);
std::optional<KillMode> parse_kill_mode(std::string_view text);
std::optional<NotifyAccess> parse_notify_access(std::string_view text);
std::optional<TimeoutFailureMode> parse_timeout_failure_mode(std::string_view text);
std::optional<ExitType> parse_exit_type(std::string_view text);
std::optional<OomPolicy> parse_oom_policy(std::string_view text);
std::string_view to_string(ServiceType type);
std::string_view to_string(ExitType type);
std::string_view to_string(OomPolicy policy);
std::string_view to_string(RestartSetting restart);
std::string_view to_string(KillMode mode);
std::string_view to_string(NotifyAccess access);
std::string_view to_string(TimeoutFailureMode mode);
std::string_view to_string(LoadState state);

std::optional<StreamSetting> parse_input_stream(std::string_view text);
std::optional<StreamSetting> parse_output_stream(std::string_view text);
std::string to_string(const StreamSetting& stream, bool is_input);

// The unit that `named` means in the file of `unit`: of a template the instance that is of the same
// kind as the unit, or called after it.
unit::UnitName name_beside(const unit::UnitName& named, const unit::UnitName& unit);

// An absolute path without ".." parts, simplified; nothing otherwise.
std::optional<std::string> parse_absolute_path(std::string_view text);
// The same of one that may be relative, and stays so.
std::optional<std::string> parse_normal_path(std::string_view text);

}  // namespace flotilla::init
