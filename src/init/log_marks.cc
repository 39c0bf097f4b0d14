#include "init/log_marks.h"

#include <string_view>

#include "logs/protocol.h"

namespace flotilla::init {
namespace {

constexpr int kDaemonFacility = 3;
// journald.conf(5): where one of the two is set, the other is this.
constexpr uint64_t kDefaultIntervalUsec = 30'000'000;
constexpr uint32_t kDefaultBurst = 10'000;

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
  const bool is_limited =
      extras.log_rate_limit_interval.count() > 0 || extras.log_rate_limit_burst > 0;
  if (facility == kDaemonFacility && extras.log_extra_fields.empty() && !is_limited &&
      extras.log_namespace.empty()) {
    return nullptr;
  }
  auto marks = std::make_unique<LogMarks>();
  marks->log_namespace = extras.log_namespace;
  Fields fields(*marks);
  if (facility != kDaemonFacility) fields.add("SYSLOG_FACILITY=" + std::to_string(facility));
  for (const std::string& field : extras.log_extra_fields) fields.add(field);
  if (is_limited) {
    const auto interval = static_cast<uint64_t>(extras.log_rate_limit_interval.count());
    marks->rate_interval_usec = interval > 0 ? interval : kDefaultIntervalUsec;
    marks->rate_burst =
        extras.log_rate_limit_burst > 0 ? extras.log_rate_limit_burst : kDefaultBurst;
  }
  return marks;
}

}  // namespace flotilla::init
