#include "fctl/log_line.h"

#include <ctime>

namespace flotilla::fctl {

std::string warning_line(std::string_view text) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S", &parts);
  return std::string(stamp) + " WARN fleetctl.go:674: " + std::string(text);
}

}  // namespace flotilla::fctl
