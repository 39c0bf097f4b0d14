#include "logs/unit_limits.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "base/fd.h"
#include "logs/journal_message.h"

namespace flotilla::logs {
namespace {

constexpr std::size_t kFieldSizeBytes = 8;
constexpr std::size_t kMaxFieldsFile = kMaxFields + kMaxFieldCount * kFieldSizeBytes;

struct Name {
  Name(const char* what, const char* unit) noexcept {
    const int size = std::snprintf(text, sizeof(text), "%s:%s", what, unit);
    if (size < 0 || static_cast<std::size_t>(size) >= sizeof(text)) text[0] = '\0';
  }
  char text[kMaxUnitName + 64];
};

std::uint64_t read_number(int directory, const char* what, const char* unit, std::uint64_t max,
                          std::uint64_t otherwise) noexcept {
  char target[32];
  const ssize_t size = ::readlinkat(directory, Name(what, unit).text, target, sizeof(target));
  if (size <= 0) return otherwise;
  return number_of_link({target, static_cast<std::size_t>(size)}, max, otherwise);
}

}  // namespace

void UnitLimits::clear() noexcept {
  priority_max_ = kPriorityMax;
  rate_ = {};
  fields_size_ = 0;
}

void UnitLimits::load(int directory, const char* unit) noexcept {
  clear();
  priority_max_ = static_cast<std::uint8_t>(
      read_number(directory, "log-level-max", unit, kPriorityMax, kPriorityMax));
  const std::uint64_t interval =
      read_number(directory, "log-rate-limit-interval", unit, UINT64_MAX, 0);
  const std::uint64_t burst = read_number(directory, "log-rate-limit-burst", unit, UINT32_MAX, 0);
  rate_ = RateLimit::Rule::of_settings(interval, static_cast<std::uint32_t>(burst));
  const base::Fd file(::openat(directory, Name("log-extra-fields", unit).text,
                               O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return;
  char bytes[kMaxFieldsFile];
  const ssize_t size = ::read(file.get(), bytes, sizeof(bytes));
  if (size <= 0) return;
  fields_size_ = join_fields({bytes, static_cast<std::size_t>(size)}, fields_, sizeof(fields_));
}

std::uint64_t number_of_link(std::string_view text, std::uint64_t max,
                             std::uint64_t otherwise) noexcept {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number <= max ? number : otherwise;
}

std::size_t join_fields(std::string_view file, char* out, std::size_t capacity) noexcept {
  std::size_t used = 0;
  for (std::size_t left = kMaxFieldCount - 1; left > 0 && file.size() >= kFieldSizeBytes; --left) {
    std::uint64_t size = 0;
    for (std::size_t i = kFieldSizeBytes; i-- > 0;) {
      size = size << 8 | static_cast<unsigned char>(file[i]);
    }
    file.remove_prefix(kFieldSizeBytes);
    if (size == 0 || size > file.size()) break;
    const std::string_view field = part_of(file, 0, static_cast<std::size_t>(size));
    file.remove_prefix(field.size());
    const std::size_t gap = used == 0 ? 0 : 1;
    if (used + gap + field.size() > capacity) break;
    if (gap != 0) out[used++] = '\0';
    std::memcpy(out + used, field.data(), field.size());
    used += field.size();
  }
  return used;
}

}  // namespace flotilla::logs
