#include "unit/size.h"

#include <array>
#include <charconv>

#include "unit/escape.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

base::Unexpected bad(std::string_view text, std::string_view why) {
  return base::invalid("expected a size such as \"512M\", got \"{}\": {}",
                       printable(text.substr(0, 64)), why);
}

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
}

// Suffixes from the largest to none at all.
constexpr std::string_view kSuffixes = "EPTGMKB";
constexpr std::size_t kBare = kSuffixes.size();

std::uint64_t factor_of(std::size_t suffix, SizeBase base) {
  std::uint64_t factor = 1;
  for (std::size_t i = suffix; i + 1 < kSuffixes.size(); ++i) {
    factor *= base == SizeBase::k1024 ? 1024 : 1000;
  }
  return factor;
}

}  // namespace

base::Result<std::uint64_t> parse_size(std::string_view text, SizeBase base) {
  std::string_view rest = trim(text);
  if (rest.empty()) return bad(text, "it is empty");
  std::uint64_t sum = 0;
  std::size_t next_suffix = 0;
  while (!rest.empty()) {
    const std::string_view digits = take_digits(rest);
    if (digits.empty()) return bad(text, "expected a number");
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc()) return bad(text, "the number is too large");
    std::string_view fraction;
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      fraction = take_digits(rest);
    }
    skip_blanks(rest);
    std::size_t suffix = rest.empty() ? kBare : kSuffixes.find(rest.front());
    if (suffix == std::string_view::npos) suffix = kBare;
    if (suffix < next_suffix || next_suffix > kBare) return bad(text, "unknown or repeated suffix");
    if (suffix != kBare) rest.remove_prefix(1);
    next_suffix = suffix + 1;
    skip_blanks(rest);

    const std::uint64_t factor = factor_of(suffix, base);
    double share = 0;
    for (auto it = fraction.rbegin(); it != fraction.rend(); ++it)
      share = (share + (*it - '0')) / 10;
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(number, factor, &bytes) ||
        __builtin_add_overflow(
            bytes, static_cast<std::uint64_t>(share * static_cast<double>(factor)), &bytes) ||
        __builtin_add_overflow(sum, bytes, &sum)) {
      return bad(text, "it is too large");
    }
  }
  return sum;
}

base::Result<std::uint64_t> parse_size_limit(std::string_view text, SizeBase base) {
  if (trim(text) == "infinity") return kNoLimit;
  return parse_size(text, base);
}

base::Result<unsigned> parse_permyriad(std::string_view text, unsigned max) {
  struct Sign {
    std::string_view text;
    unsigned parts;        // one of these is so many parts of 10,000
    std::size_t decimals;  // that still make whole parts
  };
  constexpr std::array kSigns = {Sign{"%", 100, 2}, Sign{"\u2030", 10, 1}, Sign{"\u2031", 1, 0}};
  std::string_view rest = trim(text);
  for (const Sign& sign : kSigns) {
    if (!rest.ends_with(sign.text)) continue;
    rest.remove_suffix(sign.text.size());
    const std::string_view digits = take_digits(rest);
    std::string_view fraction;
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      fraction = take_digits(rest);
      if (fraction.empty()) break;
    }
    if (digits.empty() || digits.size() > 8 || fraction.size() > sign.decimals || !rest.empty()) {
      break;
    }
    std::uint64_t parts = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), parts);
    parts *= sign.parts;
    unsigned place = sign.parts;
    for (char c : fraction) parts += static_cast<std::uint64_t>(c - '0') * (place /= 10);
    if (parts > max) break;
    return static_cast<unsigned>(parts);
  }
  return base::invalid("expected a share such as \"50%\", got \"{}\"",
                       printable(text.substr(0, 64)));
}

}  // namespace flotilla::unit
