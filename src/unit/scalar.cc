#include "unit/scalar.h"

#include <array>
#include <charconv>
#include <string>

#include "unit/escape.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

std::string quoted(std::string_view text) { return "\"" + printable(text.substr(0, 64)) + "\""; }

struct Magnitude {
  bool negative = false;
  std::uint64_t value = 0;
};

base::Result<Magnitude> parse_magnitude(std::string_view text) {
  std::string_view rest = trim(text);
  Magnitude out;
  if (rest.starts_with('-') || rest.starts_with('+')) {
    out.negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  int base = 10;
  if (rest.starts_with("0x") || rest.starts_with("0X")) {
    base = 16;
  } else if (rest.starts_with("0o")) {
    base = 8;
  } else if (rest.starts_with("0b")) {
    base = 2;
  }
  if (base != 10) {
    rest.remove_prefix(2);
  } else if (rest.size() > 1 && rest.front() == '0') {
    base = 8;
    rest.remove_prefix(1);
  }
  const char* end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data(), end, out.value, base);
  if (error == std::errc::result_out_of_range) {
    return base::invalid("the number {} is too large", quoted(text));
  }
  if (error != std::errc() || stop != end) {
    return base::invalid("expected a number, got {}", quoted(text));
  }
  return out;
}

}  // namespace

base::Result<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 12> kWords = {"1", "yes", "y", "true",  "t", "on",
                                                       "0", "no",  "n", "false", "f", "off"};
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i] == lower) return i < kWords.size() / 2;
  }
  return base::invalid("expected yes or no, got {}", quoted(text));
}

base::Result<std::int64_t> parse_integer(std::string_view text, std::int64_t min,
                                         std::int64_t max) {
  FLOTILLA_ASSIGN(const Magnitude number, parse_magnitude(text));
  constexpr std::uint64_t kMost = INT64_MAX;
  const bool fits = number.value <= kMost || (number.negative && number.value == kMost + 1);
  const auto value = static_cast<std::int64_t>(number.negative ? 0 - number.value : number.value);
  if (!fits || value < min || value > max) {
    return base::invalid("expected a number from {} to {}, got {}", min, max, quoted(text));
  }
  return value;
}

base::Result<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t max) {
  FLOTILLA_ASSIGN(const Magnitude number, parse_magnitude(text));
  if ((number.negative && number.value != 0) || number.value > max) {
    return base::invalid("expected a number from 0 to {}, got {}", max, quoted(text));
  }
  return number.value;
}

base::Result<unsigned> parse_mode(std::string_view text) {
  unsigned mode = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc() || stop != end || mode > 07777) {
    return base::invalid("expected an octal mode such as 0644, got {}", quoted(text));
  }
  return mode;
}

}  // namespace flotilla::unit
