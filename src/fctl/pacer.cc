#include "fctl/pacer.h"

#include <thread>

namespace flotilla::fctl {

std::chrono::milliseconds SystemPacer::now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

std::chrono::microseconds SystemPacer::wall_clock() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

void SystemPacer::pause(std::chrono::milliseconds how_long) {
  std::this_thread::sleep_for(how_long);
}

}  // namespace flotilla::fctl
