#include "logs/log_line.h"

#include <cstring>

namespace flotilla::logs {
namespace {

constexpr std::int64_t kNsecPerSec = 1'000'000'000;
constexpr std::int64_t kSecPerDay = 86'400;
constexpr std::int64_t kMaxSeconds = 253'402'300'799;  // 9999-12-31T23:59:59Z

struct CivilDate {
  std::int64_t year;
  std::int64_t month;
  std::int64_t day;
};

// The proleptic Gregorian calendar, counted in eras of 400 years that start in March.
CivilDate date_of_day(std::int64_t days_since_1970) noexcept {
  const std::int64_t days = days_since_1970 + 719'468;
  const std::int64_t era = days / 146'097;
  const std::int64_t day_of_era = days % 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

std::int64_t day_of_date(const CivilDate& date) noexcept {
  const std::int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year % 400;
  const std::int64_t shifted_month = date.month > 2 ? date.month - 3 : date.month + 9;
  const std::int64_t day_of_year = (153 * shifted_month + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

void put_digits(char* out, std::int64_t value, std::size_t width) noexcept {
  for (std::size_t i = width; i > 0; --i) {
    out[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

bool get_digits(const char* text, std::size_t width, std::int64_t& value) noexcept {
  value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

bool parse_timestamp(const char* text, std::int64_t& wall_nsec) noexcept {
  CivilDate date{};
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t nsec = 0;
  const bool well_formed =
      get_digits(text, 4, date.year) && text[4] == '-' && get_digits(text + 5, 2, date.month) &&
      text[7] == '-' && get_digits(text + 8, 2, date.day) && text[10] == 'T' &&
      get_digits(text + 11, 2, hour) && text[13] == ':' && get_digits(text + 14, 2, minute) &&
      text[16] == ':' && get_digits(text + 17, 2, second) && text[19] == '.' &&
      get_digits(text + 20, 9, nsec) && text[29] == 'Z';
  if (!well_formed || date.year < 1970 || date.month < 1 || date.month > 12 || date.day < 1 ||
      date.day > 31 || hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  const std::int64_t seconds = day_of_date(date) * kSecPerDay + hour * 3600 + minute * 60 + second;
  // 64 bits of nanoseconds end in 2262; what is later counts as that moment.
  constexpr std::int64_t kLastSecond = INT64_MAX / kNsecPerSec - 1;
  wall_nsec = (seconds < kLastSecond ? seconds : kLastSecond) * kNsecPerSec + nsec;
  return true;
}

}  // namespace

void format_timestamp(std::int64_t wall_nsec, char* out) noexcept {
  if (wall_nsec < 0) wall_nsec = 0;
  std::int64_t seconds = wall_nsec / kNsecPerSec;
  if (seconds > kMaxSeconds) seconds = kMaxSeconds;
  const CivilDate date = date_of_day(seconds / kSecPerDay);
  const std::int64_t in_day = seconds % kSecPerDay;
  std::memcpy(out, "0000-00-00T00:00:00.000000000Z", kTimestampSize);
  put_digits(out, date.year, 4);
  put_digits(out + 5, date.month, 2);
  put_digits(out + 8, date.day, 2);
  put_digits(out + 11, in_day / 3600, 2);
  put_digits(out + 14, in_day / 60 % 60, 2);
  put_digits(out + 17, in_day % 60, 2);
  put_digits(out + 20, wall_nsec % kNsecPerSec, 9);
}

void format_line_head(std::int64_t wall_nsec, StreamKind stream, bool partial, char* out) noexcept {
  format_timestamp(wall_nsec, out);
  std::memcpy(out + kTimestampSize, stream == StreamKind::kStdout ? " stdout F " : " stderr F ",
              kLineHeadSize - kTimestampSize);
  set_line_partial(out, partial);
}

bool parse_line(std::string_view line, ParsedLine& out) noexcept {
  if (line.size() < kLineHeadSize || line.size() > kLineHeadSize + kMaxMessage) return false;
  if (!parse_timestamp(line.data(), out.wall_nsec)) return false;
  const char* rest = line.data() + kTimestampSize;
  if (std::memcmp(rest, " stdout ", 8) == 0) {
    out.stream = StreamKind::kStdout;
  } else if (std::memcmp(rest, " stderr ", 8) == 0) {
    out.stream = StreamKind::kStderr;
  } else {
    return false;
  }
  if ((rest[8] != 'F' && rest[8] != 'P') || rest[9] != ' ') return false;
  out.partial = rest[8] == 'P';
  line.remove_prefix(kLineHeadSize);
  out.message = line;
  return true;
}

std::uint8_t take_level_prefix(std::string_view& message, std::uint8_t otherwise) noexcept {
  if (message.size() < 3 || message[0] != '<' || message[2] != '>') return otherwise;
  if (message[1] < '0' || message[1] > '7') return otherwise;
  const auto level = static_cast<std::uint8_t>(message[1] - '0');
  message.remove_prefix(3);
  return level;
}

}  // namespace flotilla::logs
