#include "registry/view_on_demand.h"

#include <utility>

namespace flotilla::registry {

ViewOnDemand::ViewOnDemand(ClusterView& view, base::EventLoop& loop, base::Micros keep)
    : view_(view), loop_(loop), keep_(keep) {}

ViewOnDemand::~ViewOnDemand() { *alive_ = false; }

bool ViewOnDemand::use() {
  used_ = loop_.clock().monotonic();
  if (!hold_) hold_ = view_.hold();
  if (!timer_) set_timer();
  return view_.has_data();
}

// One timer for any number of uses: it is set anew only when it has fired.
void ViewOnDemand::set_timer() {
  timer_ = loop_.at(used_ + keep_, [this] {
    timer_.reset();
    if (loop_.clock().monotonic() - used_ < keep_) return set_timer();
    hold_.reset();
  });
}

void ViewOnDemand::when_there(std::function<void(bool)> then) {
  waiting_.push_back(std::move(then));
  if (use()) return answer(true);
  if (subscription_) return;
  subscription_ = view_.subscribe([this](const ClusterChange&) {
    if (view_.has_data()) answer(true);
  });
  patience_ = loop_.after(kPatience, [this] { answer(false); });
}

void ViewOnDemand::answer(bool is_there) {
  subscription_.reset();
  patience_.reset();
  loop_.post([alive = alive_, is_there, waiting = std::exchange(waiting_, {})] {
    for (const auto& then : waiting) {
      if (*alive) then(is_there);
    }
  });
}

}  // namespace flotilla::registry
