#include "init/virtual_timers.h"

namespace flotilla::init {

void VirtualTimers::fire_due() {
  const uint64_t before = heap_.next_order();
  while (heap_.fire_one(clock_.monotonic(), before)) {
  }
}

void VirtualTimers::advance(base::Micros by) {
  const base::MonotonicTime end = clock_.monotonic() + by;
  while (heap_.earliest() <= end && !heap_.is_empty()) {
    if (heap_.earliest() > clock_.monotonic()) {
      clock_.advance(heap_.earliest() - clock_.monotonic());
    }
    fire_due();
  }
  if (end > clock_.monotonic()) clock_.advance(end - clock_.monotonic());
}

bool VirtualTimers::advance_to_next(base::Micros limit) {
  if (heap_.is_empty() || heap_.earliest() > clock_.monotonic() + limit) return false;
  if (heap_.earliest() > clock_.monotonic()) {
    clock_.advance(heap_.earliest() - clock_.monotonic());
  }
  fire_due();
  return true;
}

}  // namespace flotilla::init
