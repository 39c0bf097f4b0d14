#include "fctl/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace flotilla::fctl {

std::string progress_bar(size_t done, size_t total) {
  constexpr size_t kSigns = 20;
  const size_t full = std::min(done, total) * kSigns / total;
  return fmt::format("[{}{}] {}/{}", std::string(full, '#'), std::string(kSigns - full, '-'), done,
                     total);
}

Progress::Progress(Output& output, size_t total)
    : output_(output), total_(total), enabled_(total > 1 && output.is_terminal()) {}

Progress::~Progress() { hide(); }

void Progress::hide() {
  if (shown_) output_.err("\r\x1b[K");
  shown_ = false;
}

void Progress::show(size_t done) {
  if (!enabled_) return;
  output_.err("\r\x1b[K" + progress_bar(done, total_));
  shown_ = true;
}

}  // namespace flotilla::fctl
