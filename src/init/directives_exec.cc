// Parsers of the directives of man systemd.exec: what a process is started with.
#include <algorithm>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "unit/environment.h"
#include "unit/rlimit.h"
#include "unit/scalar.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

// A user or group name or number as systemd lets it pass, which is laxer than useradd.
bool is_user_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
  if (name.find_first_of(":/\n") != std::string_view::npos) return false;
  // What looks like a number must be one that somebody can have.
  const std::string_view digits = name.front() == '-' ? name.substr(1) : name;
  if (digits.find_first_not_of("0123456789") == std::string_view::npos) {
    const bool is_padded = name.size() > 1 && name.front() == '0';
    // 65535 is "none" of the old calls with numbers of 16 bits.
    return name.front() != '-' && !is_padded && name != "65535" &&
           unit::parse_unsigned(name, UINT32_MAX - 1);
  }
  if (name.front() == ' ' || name.back() == ' ') return false;
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
}

template <std::string ExecSettings::*Member>
void parse_user(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return (settings.exec.edit().*Member).clear();
  const auto name = context.expand_or_end_file(value);
  if (!name) return;
  if (!is_user_name(*name)) {
    return context.end_file("Invalid user/group name or numeric ID: " + *name);
  }
  settings.exec.edit().*Member = *name;
}

void parse_supplementary_groups(UnitSettings& settings, const SettingContext& context,
                                std::string_view value) {
  auto& list = settings.exec.edit().supplementary_groups;
  if (value.empty()) return list.clear();
  unit::WordRules rules;
  rules.quotes = unit::WordRules::Quotes::kLiteral;
  rules.escapes = unit::WordRules::Escapes::kDrop;
  auto words = unit::split_words(value, rules);
  if (!words) return context.end_file("Invalid syntax: " + std::string(value));
  for (const std::string& word : *words) {
    const auto name = context.expand_or_end_file(word);
    if (!name) return;
    if (!is_user_name(*name)) {
      return context.end_file("Invalid user/group name or numeric ID: " + *name);
    }
    list.push_back(*name);
  }
}

void parse_working_directory(UnitSettings& settings, const SettingContext& context,
                             std::string_view value) {
  ExecSettings& exec = settings.exec.edit();
  if (value.empty()) {
    exec.working_directory.clear();
    exec.working_directory_missing_ok = false;
    return;
  }
  const bool missing_ok = value[0] == '-';
  if (missing_ok) value.remove_prefix(1);
  if (value == "~") {
    exec.working_directory = "~";
    exec.working_directory_missing_ok = missing_ok;
    return;
  }
  const auto text = missing_ok ? context.expand(value) : context.expand_or_end_file(value);
  if (!text) return;
  const auto path = parse_absolute_path(*text);
  if (!path && missing_ok) {
    return context.reporter.warn("WorkingDirectory= path is not absolute, ignoring: {}", value);
  }
  if (!path) {
    return context.end_file("WorkingDirectory= path is not absolute: " + std::string(value));
  }
  exec.working_directory = *path;
  exec.working_directory_missing_ok = missing_ok;
}

void parse_environment(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  unit::Environment& environment = context.marks.environment;
  environment.adopt(std::move(settings.exec.edit().environment));
  unit::read_environment_setting(value, context.specifiers, context.reporter, environment);
  settings.exec.edit().environment = environment.release();
}

void parse_environment_file(UnitSettings& settings, const SettingContext& context,
                            std::string_view value) {
  auto& files = settings.exec.edit().environment_files;
  if (value.empty()) return files.clear();
  const bool missing_ok = value[0] == '-';
  if (missing_ok) value.remove_prefix(1);
  const auto text = context.expand(value);
  if (!text) return;
  const auto path = parse_absolute_path(*text);
  if (!path) {
    return context.reporter.warn("EnvironmentFile= path is not absolute, ignoring: {}", value);
  }
  files.emplace_back(*path, missing_ok);
}

template <std::vector<std::string> ExecSettings::*Member, unit::VariableWords Words>
void parse_variable_names(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  auto& list = settings.exec.edit().*Member;
  if (value.empty()) return list.clear();
  for (std::string& name :
       unit::read_variable_names(value, Words, context.specifiers, context.reporter)) {
    list.push_back(std::move(name));
  }
}

void parse_umask(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto mode = unit::parse_mode(value);
  if (!mode) return context.warn_bad_value(value);
  settings.exec.edit().umask = *mode;
}

void parse_nice(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return settings.exec.edit().nice.reset();
  const auto number = unit::parse_integer(value, -20, 19);
  if (!number) return context.warn_bad_value(value);
  settings.exec.edit().nice = static_cast<int>(*number);
}

void parse_oom_score(UnitSettings& settings, const SettingContext& context,
                     std::string_view value) {
  if (value.empty()) return settings.exec.edit().oom_score_adjust.reset();
  const auto number = unit::parse_integer(value, -1000, 1000);
  if (!number) return context.warn_bad_value(value);
  settings.exec.edit().oom_score_adjust = static_cast<int>(*number);
}

template <int Resource>
void parse_limit_setting(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  const auto limit = unit::parse_rlimit(Resource, value);
  if (!limit) return context.warn_bad_value(value);
  settings.exec.edit().limits[static_cast<size_t>(Resource)] = *limit;
}

template <bool ExecSettings::*Member>
void parse_flag(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value)) settings.exec.edit().*Member = *flag;
}

void parse_standard_input(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  const auto text = context.expand(value);
  if (!text) return;
  auto stream = parse_input_stream(*text);
  if (!stream) return context.warn_bad_value(value);
  settings.exec.edit().standard_input = std::move(*stream);
  context.marks.standard_input = true;
}

template <StreamSetting ExecSettings::*Member, bool SettingMarks::*Mark>
void parse_output(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto text = context.expand(value);
  if (!text) return;
  auto stream = parse_output_stream(*text);
  if (!stream) return context.warn_bad_value(value);
  settings.exec.edit().*Member = std::move(*stream);
  StreamSetting& own = settings.exec.edit().*Member;
  if (own.kind == StreamSetting::Kind::kFd && own.path_or_name.empty()) {
    own.path_or_name = Member == &ExecSettings::standard_error ? "stderr" : "stdout";
  }
  context.marks.*Mark = true;
}

void parse_identifier(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  if (const auto text = context.expand(value)) settings.exec.edit().syslog_identifier = *text;
}

void parse_level(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto level = parse_syslog_level(value);
  if (!level) return context.warn_bad_value(value);
  settings.exec.edit().syslog_level = *level;
}

void parse_slice(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto text = context.expand(value);
  if (!text) return;
  const auto name = unit::UnitName::parse(*text);
  if (!name || name->type() != unit::UnitType::kSlice) return context.warn_bad_value(value);
  settings.slice = name->str();
}

constexpr NamedParser kParsers[] = {
    {"Environment", parse_environment},
    {"EnvironmentFile", parse_environment_file},
    {"Group", parse_user<&ExecSettings::group>},
    {"IgnoreSIGPIPE", parse_flag<&ExecSettings::ignore_sigpipe>},
    {"LimitAS", parse_limit_setting<RLIMIT_AS>},
    {"LimitCORE", parse_limit_setting<RLIMIT_CORE>},
    {"LimitCPU", parse_limit_setting<RLIMIT_CPU>},
    {"LimitDATA", parse_limit_setting<RLIMIT_DATA>},
    {"LimitFSIZE", parse_limit_setting<RLIMIT_FSIZE>},
    {"LimitLOCKS", parse_limit_setting<RLIMIT_LOCKS>},
    {"LimitMEMLOCK", parse_limit_setting<RLIMIT_MEMLOCK>},
    {"LimitMSGQUEUE", parse_limit_setting<RLIMIT_MSGQUEUE>},
    {"LimitNICE", parse_limit_setting<RLIMIT_NICE>},
    {"LimitNOFILE", parse_limit_setting<RLIMIT_NOFILE>},
    {"LimitNPROC", parse_limit_setting<RLIMIT_NPROC>},
    {"LimitRSS", parse_limit_setting<RLIMIT_RSS>},
    {"LimitRTPRIO", parse_limit_setting<RLIMIT_RTPRIO>},
    {"LimitRTTIME", parse_limit_setting<RLIMIT_RTTIME>},
    {"LimitSIGPENDING", parse_limit_setting<RLIMIT_SIGPENDING>},
    {"LimitSTACK", parse_limit_setting<RLIMIT_STACK>},
    {"Nice", parse_nice},
    {"NoNewPrivileges", parse_flag<&ExecSettings::no_new_privileges>},
    {"OOMScoreAdjust", parse_oom_score},
    {"PassEnvironment",
     parse_variable_names<&ExecSettings::pass_environment, unit::VariableWords::kNames>},
    {"Slice", parse_slice},
    {"StandardError", parse_output<&ExecSettings::standard_error, &SettingMarks::standard_error>},
    {"StandardInput", parse_standard_input},
    {"StandardOutput",
     parse_output<&ExecSettings::standard_output, &SettingMarks::standard_output>},
    {"SupplementaryGroups", parse_supplementary_groups},
    {"SyslogIdentifier", parse_identifier},
    {"SyslogLevel", parse_level},
    {"SyslogLevelPrefix", parse_flag<&ExecSettings::syslog_level_prefix>},
    {"UMask", parse_umask},
    {"UnsetEnvironment", parse_variable_names<&ExecSettings::unset_environment,
                                              unit::VariableWords::kNamesAndAssignments>},
    {"User", parse_user<&ExecSettings::user>},
    {"WorkingDirectory", parse_working_directory},
};

}  // namespace

std::span<const NamedParser> exec_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
