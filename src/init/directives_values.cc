#include "init/directives_values.h"

#include <array>
#include <utility>

#include "base/name_table.h"
#include "unit/scalar.h"

namespace flotilla::init {
namespace {

using base::find_by_name;
using base::find_name;
using base::NameTable;

constexpr NameTable<ServiceType, 8> kServiceTypes{{{"simple", ServiceType::kSimple},
                                                   {"exec", ServiceType::kExec},
                                                   {"forking", ServiceType::kForking},
                                                   {"oneshot", ServiceType::kOneshot},
                                                   {"dbus", ServiceType::kDbus},
                                                   {"notify", ServiceType::kNotify},
                                                   {"idle", ServiceType::kIdle},
                                                   {"notify-reload", ServiceType::kNotifyReload}}};
constexpr NameTable<RestartSetting, 7> kRestarts{{{"no", RestartSetting::kNo},
                                                  {"on-success", RestartSetting::kOnSuccess},
                                                  {"on-failure", RestartSetting::kOnFailure},
                                                  {"on-abnormal", RestartSetting::kOnAbnormal},
                                                  {"on-watchdog", RestartSetting::kOnWatchdog},
                                                  {"on-abort", RestartSetting::kOnAbort},
                                                  {"always", RestartSetting::kAlways}}};
constexpr NameTable<KillMode, 4> kKillModes{{{"control-group", KillMode::kControlGroup},
                                             {"process", KillMode::kProcess},
                                             {"mixed", KillMode::kMixed},
                                             {"none", KillMode::kNone}}};
constexpr NameTable<NotifyAccess, 4> kNotifyAccesses{{{"none", NotifyAccess::kNone},
                                                      {"main", NotifyAccess::kMain},
                                                      {"exec", NotifyAccess::kExec},
                                                      {"all", NotifyAccess::kAll}}};
constexpr NameTable<ExitType, 2> kExitTypes{
    {{"main", ExitType::kMain}, {"cgroup", ExitType::kCgroup}}};
constexpr NameTable<OomPolicy, 3> kOomPolicies{
    {{"continue", OomPolicy::kContinue}, {"stop", OomPolicy::kStop}, {"kill", OomPolicy::kKill}}};
constexpr NameTable<TimeoutFailureMode, 3> kTimeoutModes{
    {{"terminate", TimeoutFailureMode::kTerminate},
     {"abort", TimeoutFailureMode::kAbort},
     {"kill", TimeoutFailureMode::kKill}}};
constexpr NameTable<LoadState, 7> kLoadStates{{{"stub", LoadState::kStub},
                                               {"loaded", LoadState::kLoaded},
                                               {"not-found", LoadState::kNotFound},
                                               {"bad-setting", LoadState::kBadSetting},
                                               {"error", LoadState::kError},
                                               {"merged", LoadState::kMerged},
                                               {"masked", LoadState::kMasked}}};
constexpr NameTable<int, 8> kLevels{{{"emerg", 0},
                                     {"alert", 1},
                                     {"crit", 2},
                                     {"err", 3},
                                     {"warning", 4},
                                     {"notice", 5},
                                     {"info", 6},
                                     {"debug", 7}}};

}  // namespace

std::optional<int> parse_syslog_level(std::string_view text) {
  if (const auto number = unit::parse_integer(text, 0, 7)) return static_cast<int>(*number);
  return find_by_name(kLevels, text);
}
std::string_view syslog_level_name(int level) { return find_name(kLevels, level); }

std::optional<ServiceType> parse_service_type(std::string_view text) {
  return find_by_name(kServiceTypes, text);
}
std::optional<RestartSetting> parse_restart(std::string_view text) {
  return find_by_name(kRestarts, text);
}
std::optional<KillMode> parse_kill_mode(std::string_view text) {
  return find_by_name(kKillModes, text);
}
std::optional<NotifyAccess> parse_notify_access(std::string_view text) {
  return find_by_name(kNotifyAccesses, text);
}
std::optional<TimeoutFailureMode> parse_timeout_failure_mode(std::string_view text) {
  return find_by_name(kTimeoutModes, text);
}
std::optional<ExitType> parse_exit_type(std::string_view text) {
  return find_by_name(kExitTypes, text);
}
std::optional<OomPolicy> parse_oom_policy(std::string_view text) {
  return find_by_name(kOomPolicies, text);
}
std::string_view to_string(ExitType type) { return find_name(kExitTypes, type); }
std::string_view to_string(OomPolicy policy) { return find_name(kOomPolicies, policy); }
std::string_view to_string(ServiceType type) { return find_name(kServiceTypes, type); }
std::string_view to_string(RestartSetting restart) { return find_name(kRestarts, restart); }
std::string_view to_string(KillMode mode) { return find_name(kKillModes, mode); }
std::string_view to_string(NotifyAccess access) { return find_name(kNotifyAccesses, access); }
std::string_view to_string(TimeoutFailureMode mode) { return find_name(kTimeoutModes, mode); }
std::string_view to_string(LoadState state) { return find_name(kLoadStates, state); }

std::optional<std::string> parse_absolute_path(std::string_view text) {
  if (text.empty() || text[0] != '/' || text.size() >= 4096) return std::nullopt;
  std::string path;
  while (!text.empty()) {
    const size_t begin = text.find_first_not_of('/');
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const std::string_view part = text.substr(0, text.find('/'));
    text.remove_prefix(part.size());
    if (part == "..") return std::nullopt;
    if (part == ".") continue;
    path.append("/").append(part);
  }
  return path.empty() ? "/" : path;
}

std::optional<std::string> parse_normal_path(std::string_view text) {
  if (text.substr(0, 1) == "/") return parse_absolute_path(text);
  auto path = parse_absolute_path(std::string("/").append(text));
  if (path) path->erase(0, 1);
  return path;
}

namespace {

std::optional<StreamSetting> with_path(StreamSetting::Kind kind, std::string_view text) {
  const auto path = parse_absolute_path(text);
  if (!path) return std::nullopt;
  return StreamSetting{kind, *path};
}

}  // namespace

std::optional<StreamSetting> parse_input_stream(std::string_view text) {
  using Kind = StreamSetting::Kind;
  if (text == "null") return StreamSetting{Kind::kNull, {}};
  if (text == "data") return StreamSetting{Kind::kData, {}};
  if (text == "socket") return StreamSetting{Kind::kSocket, {}};
  if (text == "tty" || text == "tty-force" || text == "tty-fail") {
    return StreamSetting{Kind::kTty, std::string(text)};
  }
  if (text.substr(0, 5) == "file:") return with_path(Kind::kFile, text.substr(5));
  if (text == "fd" || text == "fd:") return StreamSetting{Kind::kFd, "stdin"};
  if (text.substr(0, 3) == "fd:") return StreamSetting{Kind::kFd, std::string(text.substr(3))};
  return std::nullopt;
}

std::optional<StreamSetting> parse_output_stream(std::string_view text) {
  using Kind = StreamSetting::Kind;
  if (text == "inherit") return StreamSetting{Kind::kInherit, {}};
  if (text == "null") return StreamSetting{Kind::kNull, {}};
  if (text == "tty") return StreamSetting{Kind::kTty, {}};
  if (text == "socket") return StreamSetting{Kind::kSocket, {}};
  if (text == "journal" || text == "syslog") return StreamSetting{Kind::kJournal, {}};
  if (text == "journal+console" || text == "syslog+console") {
    return StreamSetting{Kind::kJournal, {}, true};
  }
  if (text == "kmsg") return StreamSetting{Kind::kKmsg, {}};
  if (text == "kmsg+console") return StreamSetting{Kind::kKmsg, {}, true};
  if (text.substr(0, 5) == "file:") return with_path(Kind::kFile, text.substr(5));
  if (text.substr(0, 7) == "append:") return with_path(Kind::kAppend, text.substr(7));
  if (text.substr(0, 9) == "truncate:") return with_path(Kind::kTruncate, text.substr(9));
  if (text == "fd" || text == "fd:") return StreamSetting{Kind::kFd, {}};
  if (text.substr(0, 3) == "fd:") return StreamSetting{Kind::kFd, std::string(text.substr(3))};
  return std::nullopt;
}

std::string to_string(const StreamSetting& stream, bool is_input) {
  switch (stream.kind) {
    case StreamSetting::Kind::kInherit:
      return "inherit";
    case StreamSetting::Kind::kNull:
      return "null";
    case StreamSetting::Kind::kJournal:
      return stream.with_console ? "journal+console" : "journal";
    case StreamSetting::Kind::kKmsg:
      return stream.with_console ? "kmsg+console" : "kmsg";
    case StreamSetting::Kind::kFile:
      return "file:" + stream.path_or_name;
    case StreamSetting::Kind::kAppend:
      return "append:" + stream.path_or_name;
    case StreamSetting::Kind::kTruncate:
      return "truncate:" + stream.path_or_name;
    case StreamSetting::Kind::kTty:
      return is_input && !stream.path_or_name.empty() ? stream.path_or_name : "tty";
    case StreamSetting::Kind::kSocket:
      return "socket";
    case StreamSetting::Kind::kFd:
      return "fd:" + stream.path_or_name;
    case StreamSetting::Kind::kData:
      return "data";
  }
  return {};
}

unit::UnitName name_beside(const unit::UnitName& named, const unit::UnitName& unit) {
  if (!named.is_template()) return named;
  const auto instance = named.with_instance(unit.is_instance() ? unit.instance() : unit.prefix());
  return instance ? *instance : named;
}

}  // namespace flotilla::init
