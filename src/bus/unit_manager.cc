#include "bus/unit_manager.h"

#include <array>
#include <utility>

namespace flotilla::bus {
namespace {

constexpr std::array<std::pair<JobResult, std::string_view>, 12> kJobResults = {{
    {JobResult::kDone, "done"},
    {JobResult::kCanceled, "canceled"},
    {JobResult::kTimeout, "timeout"},
    {JobResult::kFailed, "failed"},
    {JobResult::kDependency, "dependency"},
    {JobResult::kSkipped, "skipped"},
    {JobResult::kInvalid, "invalid"},
    {JobResult::kAssert, "assert"},
    {JobResult::kUnsupported, "unsupported"},
    {JobResult::kCollected, "collected"},
    {JobResult::kOnce, "once"},
    {JobResult::kUnknown, "unknown"},
}};

}  // namespace

std::string_view to_string(JobMode mode) {
  switch (mode) {
    case JobMode::kReplace:
      return "replace";
    case JobMode::kFail:
      return "fail";
    case JobMode::kIgnoreDependencies:
      return "ignore-dependencies";
  }
  return "";
}

std::string_view to_string(JobResult result) {
  for (const auto& [value, word] : kJobResults) {
    if (value == result) return word;
  }
  return "";
}

std::string_view to_string(KillWho who) {
  switch (who) {
    case KillWho::kAll:
      return "all";
    case KillWho::kMain:
      return "main";
    case KillWho::kControl:
      return "control";
  }
  return "";
}

JobResult job_result_from_string(std::string_view word) {
  for (const auto& [value, text] : kJobResults) {
    if (text == word) return value;
  }
  return JobResult::kUnknown;
}

}  // namespace flotilla::bus
