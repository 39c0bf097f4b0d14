#include "agent/lease_record.h"

#include <fmt/format.h>

#include <charconv>

namespace flotilla::agent {

namespace {

constexpr std::string_view kMagic = "flotilla-lease 1 ";
constexpr size_t kMaxBytes = 256;

// FNV-1a: tells a line that was read while it was written.
uint64_t sum_of(std::string_view text) {
  uint64_t sum = 14695981039346656037U;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return sum;
}

template <typename T>
bool take_number(std::string_view& text, T& number, int radix) {
  const std::string_view word = text.substr(0, text.find(' '));
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, radix);
  if (error != std::errc() || end != word.data() + word.size() || word.empty()) return false;
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return true;
}

}  // namespace

std::string encode(const LeaseRecord& record) {
  const std::string line = fmt::format("{}{} {:020} {:020}", kMagic, record.boot_id,
                                       record.acknowledged.since_epoch.count(), record.ttl.count());
  return fmt::format("{} {:016x}\n", line, sum_of(line));
}

std::optional<LeaseRecord> decode_lease_record(std::string_view text) {
  const size_t last = text.rfind(' ');
  if (text.size() > kMaxBytes || text.substr(0, kMagic.size()) != kMagic || text.back() != '\n' ||
      last < kMagic.size()) {
    return std::nullopt;
  }
  const std::string_view line = text.substr(0, last);
  std::string_view rest = text.substr(last + 1, text.size() - last - 2);
  uint64_t sum = 0;
  if (!take_number(rest, sum, 16) || sum != sum_of(line)) return std::nullopt;
  std::string_view fields = line.substr(kMagic.size());
  const size_t boot_end = fields.find(' ');
  if (boot_end == std::string_view::npos) return std::nullopt;
  LeaseRecord record;
  record.boot_id = fields.substr(0, boot_end);
  fields.remove_prefix(boot_end + 1);
  int64_t acknowledged = 0;
  int64_t ttl = 0;
  if (!take_number(fields, acknowledged, 10) || !take_number(fields, ttl, 10) || ttl < 0) {
    return std::nullopt;
  }
  record.acknowledged = {base::Micros(acknowledged)};
  record.ttl = base::Micros(ttl);
  return record;
}

}  // namespace flotilla::agent
