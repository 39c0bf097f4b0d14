// What the manager itself logs, as clients set it: its level and target, and whether watchdogs
// count. Kept in the state file over a daemon-reexec.
#include <algorithm>
#include <array>

#include "init/directives_values.h"
#include "init/manager.h"
#include "init/manager_impl.h"

namespace flotilla::init {

using base::Status;

namespace {

// Those that come down to the same here: numbers of the state file. Not more than three.
constexpr std::array<std::string_view, 3> kLogTargets{"journal", "auto", "journal-or-kmsg"};
constexpr std::array<std::string_view, 6> kOtherTargets{
    "console", "console-prefixed", "kmsg", "null", "syslog", "syslog-or-kmsg"};

}  // namespace

// -1: no client has set it.
void Manager::Impl::take_log_settings(int level, int target) {
  client_log_level = level >= 0 && level <= 7 ? level : -1;
  client_log_target = target < static_cast<int>(kLogTargets.size()) ? target : -1;
  if (!configured_log_level) configured_log_level = options.log_level;
  options.log_level = client_log_level >= 0 ? client_log_level : *configured_log_level;
}

std::string_view Manager::log_level() const {
  return syslog_level_name(std::clamp(impl_->options.log_level, 0, 7));
}

Status Manager::set_log_level(std::string_view level) {
  const auto found = parse_syslog_level(level);
  // A number is none here; nothing at all is what it was at the start.
  if (!level.empty() && (!found || syslog_level_name(*found) != level)) {
    return base::invalid("Invalid log level '{}'", level);
  }
  impl_->take_log_settings(level.empty() ? -1 : *found, impl_->client_log_target);
  impl_->save_manager();
  return {};
}

std::string_view Manager::log_target() const {
  return kLogTargets[static_cast<size_t>(std::max(impl_->client_log_target, 0))];
}

Status Manager::set_log_target(std::string_view target) {
  const auto found = std::find(kLogTargets.begin(), kLogTargets.end(), target);
  if (found != kLogTargets.end() || target.empty()) {
    const int number =
        target.empty() ? -1 : static_cast<int>(std::distance(kLogTargets.begin(), found));
    impl_->take_log_settings(impl_->client_log_level, number);
    impl_->save_manager();
    return {};
  }
  const bool is_known =
      std::find(kOtherTargets.begin(), kOtherTargets.end(), target) != kOtherTargets.end();
  if (!is_known) return base::invalid("Invalid log target '{}'", target);
  return base::unsupported("This manager writes its log to the journal only, not to '{}'", target);
}

bool Manager::service_watchdogs() const { return impl_->options.service_watchdogs; }

void Manager::set_service_watchdogs(bool enabled) {
  impl_->options.service_watchdogs = enabled;
  impl_->save_manager();
}

}  // namespace flotilla::init
