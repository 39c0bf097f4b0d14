#include "fctl/uptime.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace flotilla::fctl {

std::string go_duration(std::chrono::seconds duration) {
  const int64_t all = std::max<int64_t>(0, duration.count());
  std::string text;
  if (all >= 3600) text += fmt::format("{}h", all / 3600);
  if (all >= 60) text += fmt::format("{}m", all / 60 % 60);
  return text + fmt::format("{}s", all % 60);
}

std::string uptime_text(std::chrono::microseconds since, std::chrono::microseconds now) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char stamp[64];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%d %I:%M:%S %p %Z", &parts);
  return fmt::format("{}, Since {}", stamp,
                     go_duration(std::chrono::duration_cast<std::chrono::seconds>(now - since)));
}

}  // namespace flotilla::fctl
