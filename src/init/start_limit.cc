#include "init/start_limit.h"

namespace flotilla::init {

bool StartLimit::admit(base::MonotonicTime now, base::Micros interval, uint32_t burst) noexcept {
  if (interval.count() == 0 || burst == 0) return true;
  if (!begin.is_set() || now - begin > interval) {
    begin = now;
    count = 0;
  }
  if (count >= burst) return false;
  ++count;
  return true;
}

}  // namespace flotilla::init
