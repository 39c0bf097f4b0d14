#include "init/timers.h"

namespace flotilla::init {

Timer::~Timer() {
  if (heap_ != nullptr) heap_->remove(*this);
}

TimerHeap::~TimerHeap() {
  while (root_ != nullptr) remove(*root_);
}

bool TimerHeap::is_before(const Timer& a, const Timer& b) noexcept {
  return a.deadline_ < b.deadline_ || (a.deadline_ == b.deadline_ && a.order_ < b.order_);
}

// Makes the later of two roots the first child of the earlier; either may be null.
[[gnu::hot]] Timer* TimerHeap::meld(Timer* a, Timer* b) noexcept {
  if (a == nullptr) return b;
  if (b == nullptr) return a;
  if (is_before(*b, *a)) {
    Timer* const earlier = b;
    b = a;
    a = earlier;
  }
  b->next_ = a->child_;
  if (b->next_ != nullptr) b->next_->previous_ = b;
  b->previous_ = a;
  a->child_ = b;
  return a;
}

// Melds a list of siblings into one tree: in pairs from the left, then the pairs from the right.
[[gnu::hot]] Timer* TimerHeap::meld_siblings(Timer* first) noexcept {
  Timer* pairs = nullptr;  // linked by next_, the last pair first
  while (first != nullptr) {
    Timer* const second = first->next_;
    Timer* const rest = second != nullptr ? second->next_ : nullptr;
    first->next_ = first->previous_ = nullptr;
    if (second != nullptr) second->next_ = second->previous_ = nullptr;
    Timer* const pair = meld(first, second);
    pair->next_ = pairs;
    pairs = pair;
    first = rest;
  }
  Timer* root = nullptr;
  while (pairs != nullptr) {
    Timer* const rest = pairs->next_;
    pairs->next_ = nullptr;
    root = meld(root, pairs);
    pairs = rest;
  }
  return root;
}

void TimerHeap::push(Timer& timer, base::MonotonicTime deadline) noexcept {
  if (timer.heap_ != nullptr) timer.heap_->remove(timer);
  if (deadline.is_never()) return;
  timer.deadline_ = deadline;
  timer.order_ = next_order_++;
  timer.heap_ = this;
  root_ = meld(root_, &timer);
  ++size_;
}

[[gnu::hot]] void TimerHeap::remove(Timer& timer) noexcept {
  if (timer.heap_ != this) return;
  Timer* const children = meld_siblings(timer.child_);
  if (root_ == &timer) {
    root_ = children;
  } else {
    Timer* const before = timer.previous_;
    (before->child_ == &timer ? before->child_ : before->next_) = timer.next_;
    if (timer.next_ != nullptr) timer.next_->previous_ = before;
    root_ = meld(root_, children);
  }
  timer.child_ = timer.next_ = timer.previous_ = nullptr;
  timer.heap_ = nullptr;
  --size_;
}

[[gnu::hot]] bool TimerHeap::fire_one(base::MonotonicTime now, uint64_t before_order) {
  Timer* const timer = root_;
  if (timer == nullptr || timer->deadline_ > now || timer->order_ >= before_order) return false;
  remove(*timer);
  const Callback<void()> on_expiry = timer->on_expiry_;  // the call may destroy the timer
  on_expiry();
  return true;
}

}  // namespace flotilla::init
