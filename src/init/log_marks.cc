#include "init/log_marks.h"

#include <string_view>

#include "logs/protocol.h"
#include "logs/rate_limit.h"

namespace flotilla::init {
namespace {

constexpr int kDaemonFacility = 3;

class Fields {
 public:
  explicit Fields(LogMarks& marks) : marks_(marks) {}

  void add(std::string_view field) {
    std::string& text = marks_.fields;
    const size_t gap = text.empty() ? 0 : 1;
    if (count_ == logs::kMaxFieldCount || text.size() + gap + field.size() > logs::kMaxFields) {
      ++marks_.left_out;
      return;
    }
    ++count_;
    text.append(gap, '\0').append(field);
  }

 private:
  LogMarks& marks_;
  size_t count_ = 0;
};

}  // namespace

std::unique_ptr<LogMarks> marks_of(const ExecExtras& extras) {
  const int facility = extras.syslog_facility.value_or(kDaemonFacility);
  const auto rate = logs::RateLimit::Rule::of_settings(
      static_cast<uint64_t>(extras.log_rate_limit_interval.count()), extras.log_rate_limit_burst);
  if (facility == kDaemonFacility && extras.log_extra_fields.empty() && !rate.is_set() &&
      extras.log_namespace.empty()) {
    return nullptr;
  }
  auto marks = std::make_unique<LogMarks>();
  marks->log_namespace = extras.log_namespace;
  Fields fields(*marks);
  if (facility != kDaemonFacility) fields.add("SYSLOG_FACILITY=" + std::to_string(facility));
  for (const std::string& field : extras.log_extra_fields) fields.add(field);
  marks->rate_interval_usec = rate.interval_usec;
  marks->rate_burst = rate.burst;
  return marks;
}

}  // namespace flotilla::init
