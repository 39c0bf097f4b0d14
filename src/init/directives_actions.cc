// Parsers of what follows the end of a unit: FailureAction= and its kin, and the job modes of
// OnFailure= and OnSuccess=. Some of them stand in [Service] in old files.
#include <algorithm>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/job.h"
#include "unit/scalar.h"

namespace flotilla::init {
namespace {

template <EmergencyAction UnitActions::*Member>
void parse_action(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto action = parse_emergency_action(value);
  if (!action) {
    return context.reporter.warn("Failed to parse {}=, ignoring: {}", context.key, value);
  }
  if (context.is_user_manager && !is_of_user_managers(*action)) {
    return context.reporter.warn("{}= specified as system mode action, ignoring: {}", context.key,
                                 value);
  }
  settings.extras.edit().actions.edit().*Member = *action;
}

template <std::optional<uint8_t> UnitActions::*Member>
void parse_exit_status(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  if (value.empty()) {
    (settings.extras.edit().actions.edit().*Member).reset();
    return;
  }
  const auto status = unit::parse_integer(value, 0, 255);
  if (!status) {
    return context.reporter.warn("Failed to parse exit status '{}', ignoring", value);
  }
  settings.extras.edit().actions.edit().*Member = static_cast<uint8_t>(*status);
}

template <std::string UnitActions::*Member>
void parse_argument(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  auto text = context.expand(value);
  if (!text) return;
  constexpr size_t kMostBytes = 255;
  const bool is_ascii = std::none_of(text->begin(), text->end(),
                                     [](char c) { return static_cast<unsigned char>(c) > 127; });
  if (!is_ascii || text->size() > kMostBytes) return context.warn_bad_value(value);
  settings.extras.edit().actions.edit().*Member = std::move(*text);
}

template <JobMode UnitSettings::*Member>
void parse_mode(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto mode = parse_job_mode(value);
  if (!mode) {
    return context.reporter.warn("Failed to parse {}=, ignoring: {}", context.key, value);
  }
  settings.*Member = *mode;
}

void parse_on_failure_isolate(UnitSettings& settings, const SettingContext& context,
                              std::string_view value) {
  const auto flag = unit::parse_boolean(value);
  if (!flag) return context.reporter.warn("Failed to parse boolean, ignoring: {}", value);
  settings.on_failure_job_mode = *flag ? JobMode::kIsolate : JobMode::kReplace;
}

constexpr NamedParser kParsers[] = {
    {"FailureAction", parse_action<&UnitActions::failure>},
    {"FailureActionExitStatus", parse_exit_status<&UnitActions::failure_exit_status>},
    {"JobTimeoutAction", parse_action<&UnitActions::job_timeout>},
    {"JobTimeoutRebootArgument", parse_argument<&UnitActions::job_timeout_reboot_argument>},
    {"OnFailureIsolate", parse_on_failure_isolate},
    {"OnFailureJobMode", parse_mode<&UnitSettings::on_failure_job_mode>},
    {"OnSuccessJobMode", parse_mode<&UnitSettings::on_success_job_mode>},
    {"RebootArgument", parse_argument<&UnitActions::reboot_argument>},
    {"StartLimitAction", parse_action<&UnitActions::start_limit>},
    {"SuccessAction", parse_action<&UnitActions::success>},
    {"SuccessActionExitStatus", parse_exit_status<&UnitActions::success_exit_status>},
};

}  // namespace

std::span<const NamedParser> action_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
