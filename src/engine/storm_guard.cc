#include "engine/storm_guard.h"

#include <algorithm>
#include <functional>
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
  const auto is_recent = [&](const auto& gone) { return now - gone.second < lease_time_; };
  // While there is a storm, it is over only when all that vanished in it are back.
  if (storm_until_ <= now) std::erase_if(vanished_, std::not_fn(is_recent));
  const auto recent =
      static_cast<size_t>(std::count_if(vanished_.begin(), vanished_.end(), is_recent));
  const size_t all = present_.size() + recent;
  if (has_new && recent * 3 > all) storm_until_ = now + lease_time_;
  if (vanished_.empty()) storm_until_ = {};
  is_storm_ = storm_until_ > now;
  trusted_from_ = std::max(watching_since + lease_time_, storm_until_);
}

}  // namespace flotilla::engine
