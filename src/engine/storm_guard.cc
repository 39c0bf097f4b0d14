#include "engine/storm_guard.h"

#include <algorithm>
#include <functional>

namespace flotilla::engine {

void StormGuard::look(base::MonotonicTime now, base::MonotonicTime watching_since,
                      Present present) {
  present_.swap(present);
  forget_those_back();
  bool has_new = false;
  for (const auto& [machine, created] : present) {
    const auto found = present_.find(machine);
    if (found != present_.end() && (created == 0 || found->second == created)) continue;
    vanished_[machine] = now;
    has_new = true;
  }
  judge(now, watching_since, has_new);
}

void StormGuard::look(base::MonotonicTime now, base::MonotonicTime watching_since) {
  judge(now, watching_since, false);
}

void StormGuard::judge(base::MonotonicTime now, base::MonotonicTime watching_since, bool has_new) {
  const auto is_recent = [&](const auto& gone) { return now - gone.second < lease_time_; };
  // While there is a storm, it is over only when all that vanished in it are back.
  if (storm_until_ <= now) std::erase_if(vanished_, std::not_fn(is_recent));
  size_t recent = 0;
  size_t all = present_.size();
  for (const auto& gone : vanished_) {
    if (!is_recent(gone)) continue;
    ++recent;
    if (!present_.contains(gone.first)) ++all;
  }
  if (has_new && recent * 3 > all) storm_until_ = now + lease_time_;
  forget_those_back();
  if (vanished_.empty()) storm_until_ = {};
  is_storm_ = storm_until_ > now;
  trusted_from_ = std::max(watching_since + lease_time_, storm_until_);
}

void StormGuard::forget_those_back() {
  std::erase_if(vanished_, [this](const auto& gone) { return present_.contains(gone.first); });
}

}  // namespace flotilla::engine
