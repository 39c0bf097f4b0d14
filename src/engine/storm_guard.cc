#include "engine/storm_guard.h"

#include <algorithm>
#include <utility>

namespace flotilla::engine {

void StormGuard::look(base::MonotonicTime now, base::MonotonicTime watching_since,
                      std::set<std::string> present) {
  bool has_new = false;
  for (const std::string& machine : present_) {
    if (present.contains(machine)) continue;
    vanished_[machine] = now;
    has_new = true;
  }
  present_ = std::move(present);
  std::erase_if(vanished_, [this](const auto& gone) { return present_.contains(gone.first); });
  judge(now, watching_since, has_new);
}

void StormGuard::look(base::MonotonicTime now, base::MonotonicTime watching_since) {
  judge(now, watching_since, false);
}

void StormGuard::judge(base::MonotonicTime now, base::MonotonicTime watching_since, bool has_new) {
  std::erase_if(vanished_, [&](const auto& gone) { return now - gone.second >= lease_time_; });
  const size_t all = present_.size() + vanished_.size();
  if (has_new && vanished_.size() * 3 > all) storm_until_ = now + lease_time_;
  if (vanished_.empty()) storm_until_ = {};
  is_storm_ = storm_until_ > now;
  trusted_from_ = std::max(watching_since + lease_time_, storm_until_);
}

}  // namespace flotilla::engine
