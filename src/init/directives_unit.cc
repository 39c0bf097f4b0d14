// Parsers of [Unit].
#include <algorithm>
#include <array>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "unit/scalar.h"
#include "unit/time_span.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using Parser = DirectiveParser;

template <bool UnitSettings::*Member>
void parse_flag(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value)) settings.*Member = *flag;
}

void parse_description(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  const auto text = context.expand(value);
  if (!text) return;
  settings.description = *text;
}

void parse_documentation(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  if (value.empty()) return settings.extras.edit().documentation.clear();
  auto words = unit::split_words(value);
  if (!words) return context.reporter.warn("Invalid Documentation= value, ignoring: {}", value);
  for (const std::string& word : *words) {
    auto url = unit::expand_specifiers(word, context.specifiers);
    static constexpr std::array<std::string_view, 5> kSchemes{"http://", "https://", "file:/",
                                                              "info:", "man:"};
    const bool is_known =
        url && std::any_of(kSchemes.begin(), kSchemes.end(), [&](std::string_view scheme) {
          return url->size() > scheme.size() && url->compare(0, scheme.size(), scheme) == 0;
        });
    if (!is_known) {
      context.reporter.warn("Invalid URL, ignoring: {}", word);
      continue;
    }
    settings.extras.edit().documentation.push_back(std::move(*url));
  }
}

void add_dependencies(UnitSettings& settings, const SettingContext& context, Dependency kind,
                      std::string_view value) {
  auto& list = settings.dependencies[static_cast<size_t>(kind)];
  auto words = unit::split_words(value);
  if (!words) {
    return context.reporter.warn("Invalid syntax, ignoring: {}={}", context.key, value);
  }
  for (const std::string& word : *words) {
    const auto text = context.expand(word);
    if (!text) continue;
    auto name = unit::UnitName::parse(*text);
    if (!name) {
      context.reporter.warn("Failed to add dependency on '{}', ignoring: {}", *text,
                            name.error().message);
      continue;
    }
    list.push_back(name_beside(*name, settings.name));
  }
}

// An empty dependency list resets nothing: systemd cannot take dependencies back.
template <Dependency Kind>
void parse_dependency(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  add_dependencies(settings, context, Kind, value);
}

void parse_requires_mounts_for(UnitSettings& settings, const SettingContext& context,
                               std::string_view value) {
  auto words = unit::split_words(value);
  if (!words) return context.reporter.warn("Invalid syntax, ignoring: {}", value);
  for (const std::string& word : *words) {
    const auto text = unit::expand_specifiers(word, context.specifiers);
    const auto path = text ? parse_absolute_path(*text) : std::nullopt;
    if (!path) {
      context.reporter.warn("RequiresMountsFor= path is not absolute, ignoring: {}", word);
      continue;
    }
    settings.extras.edit().requires_mounts_for.push_back(*path);
  }
}

void parse_start_limit_interval(UnitSettings& settings, const SettingContext& context,
                                std::string_view value) {
  const auto span = unit::parse_time_span(value);
  if (!span) {
    return context.warn_bad_value(value);
  }
  settings.limits.edit().start_interval = *span;
}

void parse_start_limit_burst(UnitSettings& settings, const SettingContext& context,
                             std::string_view value) {
  const auto number = unit::parse_integer(value, 0, UINT32_MAX);
  if (!number) {
    return context.warn_bad_value(value);
  }
  settings.limits.edit().start_burst = static_cast<uint32_t>(*number);
}

void parse_job_timeout(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  const auto span = unit::parse_timeout(value);
  if (!span) {
    return context.reporter.warn("Failed to parse JobTimeoutSec= value, ignoring: {}", value);
  }
  settings.limits.edit().job_timeout = *span;
  if (!context.marks.job_running_timeout) settings.limits.edit().job_running_timeout = *span;
}

void parse_job_running_timeout(UnitSettings& settings, const SettingContext& context,
                               std::string_view value) {
  const auto span = unit::parse_timeout(value);
  if (!span) {
    return context.reporter.warn("Failed to parse JobRunningTimeoutSec= value, ignoring: {}",
                                 value);
  }
  settings.limits.edit().job_running_timeout = *span;
  context.marks.job_running_timeout = true;
}

void parse_collect_mode(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  if (value != "inactive" && value != "inactive-or-failed") {
    return context.reporter.warn("Failed to parse CollectMode= value, ignoring: {}", value);
  }
  settings.collect_failed = value == "inactive-or-failed";
}

// All kinds of conditions share a parser: the kind is in the key. An empty value resets the whole
// list of conditions (or of assertions), not only those of this kind.
void parse_condition(UnitSettings& settings, const SettingContext& context,
                     std::string_view value) {
  const bool is_assertion = context.key.substr(0, 6) == "Assert";
  auto& list = is_assertion ? settings.extras.edit().assertions : settings.extras.edit().conditions;
  if (value.empty()) return list.clear();
  Condition condition;
  condition.kind = std::string(context.key.substr(is_assertion ? 6 : 9));
  if (value[0] == '|') {
    condition.trigger = true;
    value.remove_prefix(1);
  }
  if (!value.empty() && value[0] == '!') {
    condition.negate = true;
    value.remove_prefix(1);
  }
  auto parameter = context.expand(value);
  if (!parameter) return;
  const bool is_path = condition.kind.compare(0, 4, "Path") == 0 ||
                       condition.kind.compare(0, 4, "File") == 0 ||
                       condition.kind.compare(0, 9, "Directory") == 0;
  if (is_path && (parameter->empty() || (*parameter)[0] != '/')) {
    return context.reporter.warn("Path in condition is not absolute, ignoring: {}", *parameter);
  }
  condition.parameter = std::move(*parameter);
  list.push_back(std::move(condition));
}

void parse_source_path(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  if (value.empty()) {
    if (settings.extras.is_set()) settings.extras.edit().source_path.clear();
    return;
  }
  const auto text = context.expand(value);
  if (!text) return;
  auto path = parse_absolute_path(*text);
  if (!path) {
    return context.reporter.warn("SourcePath= path is not absolute and normalized, ignoring: {}",
                                 value);
  }
  settings.extras.edit().source_path = std::move(*path);
}

constexpr NamedParser kParsers[] = {
    {"After", parse_dependency<Dependency::kAfter>},
    {"AllowIsolate", parse_flag<&UnitSettings::allow_isolate>},
    {"Before", parse_dependency<Dependency::kBefore>},
    {"BindTo", parse_dependency<Dependency::kBindsTo>},
    {"BindsTo", parse_dependency<Dependency::kBindsTo>},
    {"CollectMode", parse_collect_mode},
    {"Conflicts", parse_dependency<Dependency::kConflicts>},
    {"DefaultDependencies", parse_flag<&UnitSettings::default_dependencies>},
    {"Description", parse_description},
    {"Documentation", parse_documentation},
    {"IgnoreOnIsolate", parse_flag<&UnitSettings::ignore_on_isolate>},
    {"JobRunningTimeoutSec", parse_job_running_timeout},
    {"JobTimeoutSec", parse_job_timeout},
    {"JoinsNamespaceOf", parse_dependency<Dependency::kJoinsNamespaceOf>},
    {"OnFailure", parse_dependency<Dependency::kOnFailure>},
    {"OnSuccess", parse_dependency<Dependency::kOnSuccess>},
    {"PartOf", parse_dependency<Dependency::kPartOf>},
    {"PropagateReloadFrom", parse_dependency<Dependency::kReloadPropagatedFrom>},
    {"PropagateReloadTo", parse_dependency<Dependency::kPropagatesReloadTo>},
    {"PropagatesReloadTo", parse_dependency<Dependency::kPropagatesReloadTo>},
    {"PropagatesStopTo", parse_dependency<Dependency::kPropagatesStopTo>},
    {"RefuseManualStart", parse_flag<&UnitSettings::refuse_manual_start>},
    {"RefuseManualStop", parse_flag<&UnitSettings::refuse_manual_stop>},
    {"ReloadPropagatedFrom", parse_dependency<Dependency::kReloadPropagatedFrom>},
    {"Requires", parse_dependency<Dependency::kRequires>},
    {"RequiresMountsFor", parse_requires_mounts_for},
    {"RequiresOverridable", parse_dependency<Dependency::kRequires>},
    {"Requisite", parse_dependency<Dependency::kRequisite>},
    {"RequisiteOverridable", parse_dependency<Dependency::kRequisite>},
    {"SourcePath", parse_source_path},
    {"StartLimitBurst", parse_start_limit_burst},
    {"StartLimitInterval", parse_start_limit_interval},
    {"StartLimitIntervalSec", parse_start_limit_interval},
    {"StopPropagatedFrom", parse_dependency<Dependency::kStopPropagatedFrom>},
    {"StopWhenUnneeded", parse_flag<&UnitSettings::stop_when_unneeded>},
    {"Upholds", parse_dependency<Dependency::kUpholds>},
    {"Wants", parse_dependency<Dependency::kWants>},
    // Found by prefix in find_parser(): every implemented Condition*= and Assert*=.
    {"~condition", parse_condition},
};

}  // namespace

std::span<const NamedParser> unit_section_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
