#include "unit/white_space.h"

#include "unit/utf8.h"

namespace flotilla::unit {
namespace {

bool is_space(char32_t code) noexcept {
  return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
         code == 0x202f || code == 0x205f || code == 0x3000;
}

std::size_t trailing_space(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    const std::string_view last = text.substr(text.size() - length);
    if (utf8_sequence_length(last) == length) return leading_space(last);
  }
  return 0;
}

}  // namespace

std::size_t leading_space(std::string_view text) noexcept {
  const std::size_t length = utf8_sequence_length(text);
  return length != 0 && is_space(utf8_decode(text)) ? length : 0;
}

std::string_view trim_unicode(std::string_view text) noexcept {
  while (const std::size_t n = leading_space(text)) text.remove_prefix(n);
  while (const std::size_t n = trailing_space(text)) text.remove_suffix(n);
  return text;
}

}  // namespace flotilla::unit
