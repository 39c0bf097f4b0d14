#include "unit/time_span.h"

#include <array>
#include <charconv>

#include "unit/escape.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kWeek = 7 * kDay;
constexpr std::int64_t kMonth = 2'629'800 * kSecond;  // a twelfth of a year
constexpr std::int64_t kYear = 31'557'600 * kSecond;  // 365.25 days

struct Unit {
  std::string_view name;
  std::int64_t usec;
};

// The first name that the text begins with counts, so longer names stand before shorter ones.
constexpr std::array kUnits = {
    Unit{"seconds", kSecond}, Unit{"second", kSecond}, Unit{"sec", kSecond}, Unit{"s", kSecond},
    Unit{"minutes", kMinute}, Unit{"minute", kMinute}, Unit{"min", kMinute}, Unit{"months", kMonth},
    Unit{"month", kMonth},    Unit{"M", kMonth},       Unit{"msec", 1000},   Unit{"ms", 1000},
    Unit{"m", kMinute},       Unit{"hours", kHour},    Unit{"hour", kHour},  Unit{"hr", kHour},
    Unit{"h", kHour},         Unit{"days", kDay},      Unit{"day", kDay},    Unit{"d", kDay},
    Unit{"weeks", kWeek},     Unit{"week", kWeek},     Unit{"w", kWeek},     Unit{"years", kYear},
    Unit{"year", kYear},      Unit{"y", kYear},        Unit{"usec", 1},      Unit{"us", 1},
    Unit{"\u00b5s", 1},       Unit{"\u03bcs", 1},
};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
}

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

base::Unexpected bad(std::string_view text, std::string_view why) {
  return base::invalid("expected a time span such as \"1min 30s\", got \"{}\": {}",
                       printable(text.substr(0, 64)), why);
}

// One "NUMBER[.FRACTION] [UNIT]" off the text, in microseconds.
base::Result<std::int64_t> take_part(std::string_view& rest, std::string_view whole,
                                     std::int64_t default_unit) {
  if (rest.front() == '-') return bad(whole, "it is negative");
  if (rest.front() == '+') rest.remove_prefix(1);
  const std::string_view digits = take_digits(rest);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
    if (fraction.empty()) return bad(whole, "a \".\" without digits behind it");
  } else if (digits.empty()) {
    return bad(whole, "expected a number");
  }
  const bool glued = !rest.empty() && kBlanks.find(rest.front()) == std::string_view::npos;
  skip_blanks(rest);
  std::int64_t multiplier = default_unit;
  bool has_unit = false;
  for (const Unit& unit : kUnits) {
    if (!rest.starts_with(unit.name)) continue;
    multiplier = unit.usec;
    has_unit = true;
    rest.remove_prefix(unit.name.size());
    break;
  }
  if (glued && !has_unit) return bad(whole, "unknown unit");

  std::int64_t number = 0;
  if (!digits.empty()) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc()) return bad(whole, "the number is too large");
  }
  std::int64_t usec = 0;
  if (__builtin_mul_overflow(number, multiplier, &usec)) return bad(whole, "it is too long");
  std::int64_t place = multiplier / 10;
  for (char c : fraction) {
    if (__builtin_add_overflow(usec, (c - '0') * place, &usec)) return bad(whole, "it is too long");
    place /= 10;
  }
  return usec;
}

}  // namespace

base::Result<TimeSpan> parse_time_span(std::string_view text, TimeSpan default_unit) {
  std::string_view rest = trim(text);
  if (rest == "infinity") return kInfinite;
  if (rest.empty()) return bad(text, "it is empty");
  std::int64_t sum = 0;
  while (!rest.empty()) {
    FLOTILLA_ASSIGN(const std::int64_t part, take_part(rest, text, default_unit.count()));
    if (__builtin_add_overflow(sum, part, &sum) || sum == kInfinite.count()) {
      return bad(text, "it is too long");
    }
    skip_blanks(rest);
  }
  return TimeSpan(sum);
}

base::Result<TimeSpan> parse_timeout(std::string_view text, TimeSpan default_unit) {
  FLOTILLA_ASSIGN(const TimeSpan span, parse_time_span(text, default_unit));
  return span == TimeSpan(0) ? kInfinite : span;
}

std::string format_time_span(TimeSpan span, TimeSpan accuracy) {
  constexpr std::array kFormatUnits = {
      Unit{"y", kYear},   Unit{"month", kMonth}, Unit{"w", kWeek},
      Unit{"d", kDay},    Unit{"h", kHour},      Unit{"min", kMinute},
      Unit{"s", kSecond}, Unit{"ms", 1000},      Unit{"us", 1},
  };
  if (span == kInfinite) return "infinity";
  if (span.count() <= 0) return "0";
  std::int64_t left = span.count();
  std::string out;
  for (const Unit& unit : kFormatUnits) {
    if (left <= 0 || (left < accuracy.count() && !out.empty())) break;
    if (left < unit.usec) continue;
    if (!out.empty()) out += ' ';
    const std::int64_t count = left / unit.usec;
    std::int64_t remainder = left % unit.usec;
    if (left < kMinute && remainder > 0) {
      // Below a minute the rest goes behind a point, to as many places as the accuracy asks for.
      int places = 0;
      for (std::int64_t n = unit.usec; n > 1; n /= 10) ++places;
      for (std::int64_t n = accuracy.count(); n > 1; n /= 10) {
        remainder /= 10;
        --places;
      }
      if (places > 0) {
        return out + fmt::format("{}.{:0{}}{}", count, remainder, places, unit.name);
      }
    }
    out += fmt::format("{}{}", count, unit.name);
    left = remainder;
  }
  return out;
}

}  // namespace flotilla::unit
