// A part of RuntimeRandomizedExtraSec=, drawn anew at each start.
#pragma once

#include <array>
#include <cstring>

#include "base/clock.h"
#include "init/manager_options.h"

namespace flotilla::init {

// At least nothing and less than `most`.
inline base::Micros random_span(Processes& processes, base::Micros most) {
  if (most.count() <= 0) return base::Micros(0);
  std::array<uint8_t, 8> bytes{};
  processes.fill_random(bytes);
  uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return base::Micros(static_cast<int64_t>(number % static_cast<uint64_t>(most.count())));
}

}  // namespace flotilla::init
