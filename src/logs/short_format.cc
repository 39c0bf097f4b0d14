#include "logs/short_format.h"

#include <ctime>

namespace flotilla::logs {
namespace {

std::string stamp_of(const Entry& entry, ShortTime time) {
  const auto whole = entry.time.since_epoch.count();
  std::string micros = std::to_string(whole % 1'000'000);
  micros.insert(0, 6 - micros.size(), '0');
  micros.insert(0, ".");
  const std::time_t seconds = whole / 1'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  const auto text = [&](const char* format) {
    char stamp[96];
    return std::string(stamp, std::strftime(stamp, sizeof stamp, format, &parts));
  };
  switch (time) {
    case ShortTime::kPlain:
      return text("%b %d %H:%M:%S");
    case ShortTime::kPrecise:
      return text("%b %d %H:%M:%S") + micros;
    case ShortTime::kFull:
      return text("%a %Y-%m-%d %H:%M:%S %Z");
    case ShortTime::kIso:
      return text("%Y-%m-%dT%H:%M:%S%z");
    case ShortTime::kIsoPrecise:
      return text("%Y-%m-%dT%H:%M:%S") + micros + text("%z");
    case ShortTime::kUnix:
      return std::to_string(seconds) + micros;
  }
  return {};
}

}  // namespace

std::string format_short(const Entry& entry, std::string_view host) {
  return format_short(entry, host, ShortTime::kPlain, entry.identifier);
}

std::string format_short(const Entry& entry, std::string_view host, ShortTime time,
                         std::string_view name) {
  std::string line = stamp_of(entry, time);
  line.append(" ").append(host).append(" ");
  line.append(name.empty() ? "unknown" : name);
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
