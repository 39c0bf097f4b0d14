#include "engine/storm_guard.h"

#include <algorithm>

namespace flotilla::engine {

void StormGuard::look(base::MonotonicTime now, base::MonotonicTime watching_since,
                      const std::set<std::string>& present) {
  bool has_new = false;
  for (const std::string& machine : present_) {
    if (present.contains(machine)) continue;
    vanished_[machine] = now;
    has_new = true;
  }
  for (auto it = vanished_.begin(); it != vanished_.end();) {
    const bool is_over = now - it->second >= lease_time_ || present.contains(it->first);
    it = is_over ? vanished_.erase(it) : std::next(it);
  }
  present_ = present;
  const size_t all = present_.size() + vanished_.size();
  if (has_new && vanished_.size() * 3 > all) storm_until_ = now + lease_time_;
  if (vanished_.empty()) storm_until_ = {};
  is_storm_ = storm_until_ > now;
  trusted_from_ = std::max(watching_since + lease_time_, storm_until_);
}

}  // namespace flotilla::engine
