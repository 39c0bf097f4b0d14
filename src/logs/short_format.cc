#include "logs/short_format.h"

#include <ctime>

namespace flotilla::logs {

std::string format_short(const Entry& entry, std::string_view host) {
  const std::time_t seconds = entry.time.since_epoch.count() / 1'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%b %d %H:%M:%S", &parts);

  std::string line = stamp;
  line.append(" ").append(host).append(" ");
  line.append(entry.identifier.empty() ? "unknown" : entry.identifier);
  if (entry.pid > 0) line.append("[").append(std::to_string(entry.pid)).append("]");
  line.append(": ");
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : entry.message) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7F) {
      line.append("\\x").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 15U]);
    } else {
      line += c;
    }
  }
  return line += '\n';
}

}  // namespace flotilla::logs
