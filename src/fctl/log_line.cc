#include "fctl/log_line.h"

#include <ctime>

namespace flotilla::fctl {

namespace {

std::string stamped(std::string_view text) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S", &parts);
  return std::string(stamp) + std::string(text);
}

}  // namespace

std::string warning_line(std::string_view text) {
  return stamped(" WARN fleetctl.go:674: " + std::string(text));
}

std::string info_line(std::string_view text) {
  return stamped(" INFO restart.go:98: " + std::string(text));
}

std::string debug_line(std::string_view text) {
  return stamped(" DEBUG http.go:32: " + std::string(text));
}

}  // namespace flotilla::fctl
