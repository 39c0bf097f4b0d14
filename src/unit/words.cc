#include "unit/words.h"

#include "unit/escape.h"
#include "unit/utf8.h"

namespace flotilla::unit {
namespace {

bool is_blank(char c) noexcept { return kBlanks.find(c) != std::string_view::npos; }

std::optional<unsigned> digit_value(char c, unsigned base) noexcept {
  unsigned value = base;
  if (c >= '0' && c <= '9') value = static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') value = static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') value = static_cast<unsigned>(c - 'A') + 10;
  if (value >= base) return std::nullopt;
  return value;
}

// Exactly `count` digits at the text's begin, not all of them zero.
std::optional<char32_t> read_code(std::string_view text, std::size_t count, unsigned base) {
  if (text.size() < count) return std::nullopt;
  std::uint64_t code = 0;
  for (char c : text.substr(0, count)) {
    const auto digit = digit_value(c, base);
    if (!digit) return std::nullopt;
    code = code * base + *digit;
  }
  if (code == 0 || code > 0x10ffff) return std::nullopt;
  return static_cast<char32_t>(code);
}

std::optional<char> simple_escape(char c) noexcept {
  switch (c) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case 's':
      return ' ';
    case '\\':
    case '"':
    case '\'':
      return c;
    default:
      return std::nullopt;
  }
}

class WordReader {
 public:
  WordReader(std::string_view text, const WordRules& rules) : rest_(text), rules_(rules) {}

  // Reads to the end of the word. Requires: the text begins with no blank and is not empty.
  base::Status read() {
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (quote_ == 0 && is_blank(c)) break;
      if (c == '\\' && rules_.escapes != WordRules::Escapes::kKeep) {
        FLOTILLA_TRY(read_escape());
        continue;
      }
      rest_.remove_prefix(1);
      if (quote_ != 0 && c == quote_) {
        quote_ = 0;
      } else if (quote_ == 0 && (c == '"' || c == '\'') &&
                 rules_.quotes == WordRules::Quotes::kRemove) {
        quote_ = c;
      } else {
        word_ += c;
      }
    }
    if (quote_ != 0 && rules_.unbalanced == WordRules::Unbalanced::kError) {
      return base::invalid("a {} is not closed", quote_ == '"' ? "double quote" : "single quote");
    }
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
    return {};
  }

  std::string take() { return std::move(word_); }
  std::string_view rest() const { return rest_; }

 private:
  base::Status read_escape() {
    rest_.remove_prefix(1);
    if (rest_.empty()) {
      const bool accept = rules_.unbalanced == WordRules::Unbalanced::kAccept ||
                          rules_.escapes == WordRules::Escapes::kDecodeLenient;
      if (!accept) return base::invalid("a \"\\\" stands at the end");
      word_ += '\\';
      return {};
    }
    if (rules_.escapes == WordRules::Escapes::kDrop) {
      word_ += rest_.front();
      rest_.remove_prefix(1);
      return {};
    }
    if (auto decoded = take_escape(rest_)) {
      word_ += *decoded;
      return {};
    }
    if (rules_.escapes == WordRules::Escapes::kDecode) {
      return base::invalid("unknown escape sequence \"\\{}\"", printable(rest_.substr(0, 1)));
    }
    word_ += '\\';
    word_ += rest_.front();
    rest_.remove_prefix(1);
    return {};
  }

  std::string_view rest_;
  const WordRules& rules_;
  std::string word_;
  char quote_ = 0;
};

}  // namespace

std::string_view trim(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<std::string> take_escape(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  const char c = rest.front();
  if (const auto simple = simple_escape(c)) {
    rest.remove_prefix(1);
    return std::string(1, *simple);
  }
  if (c == 'x') {
    const auto code = read_code(rest.substr(1), 2, 16);
    if (!code) return std::nullopt;
    rest.remove_prefix(3);
    return std::string(1, static_cast<char>(*code));
  }
  if (c >= '0' && c <= '7') {
    const auto code = read_code(rest, 3, 8);
    if (!code || *code > 0xff) return std::nullopt;
    rest.remove_prefix(3);
    return std::string(1, static_cast<char>(*code));
  }
  if (c == 'u' || c == 'U') {
    const std::size_t digits = c == 'u' ? 4 : 8;
    const auto code = read_code(rest.substr(1), digits, 16);
    if (!code || (*code >= 0xd800 && *code <= 0xdfff)) return std::nullopt;
    rest.remove_prefix(1 + digits);
    std::string out;
    utf8_append(out, *code);
    return out;
  }
  return std::nullopt;
}

base::Result<std::optional<std::string>> take_word(std::string_view& rest, const WordRules& rules) {
  const std::size_t begin = rest.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) {
    rest = {};
    return std::optional<std::string>();
  }
  WordReader reader(rest.substr(begin), rules);
  FLOTILLA_TRY(reader.read());
  rest = reader.rest();
  return std::optional<std::string>(reader.take());
}

base::Result<std::vector<std::string>> split_words(std::string_view text, const WordRules& rules) {
  std::vector<std::string> words;
  for (;;) {
    FLOTILLA_ASSIGN(std::optional<std::string> word, take_word(text, rules));
    if (!word) return words;
    words.push_back(std::move(*word));
  }
}

namespace {

enum class ControlStyle { kHex, kOctal };

// The word in double quotes if it is empty, or has blanks, control characters or `special` ones;
// `escaped` ones get a backslash in them.
std::string in_quotes(std::string_view word, std::string_view special, std::string_view escaped,
                      ControlStyle style) {
  bool plain = !word.empty();
  std::string out;
  for (char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte < ' ' || c == 0x7f;
    if (control || c == ' ' || special.find(c) != std::string_view::npos) plain = false;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (control) {
      out += style == ControlStyle::kHex ? fmt::format("\\x{:02x}", byte)
                                         : fmt::format("\\{:03o}", byte);
    } else {
      if (escaped.find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return plain ? std::string(word) : "\"" + out + "\"";
}

}  // namespace

std::string quote_word(std::string_view word) {
  return in_quotes(word, "\"\\'`$*?[]|&;<>(){}!~#", "\"\\", ControlStyle::kHex);
}

std::string shell_quote(std::string_view word) {
  return in_quotes(word, "\"\\`$*?['()<>|&;!", "\"\\`$", ControlStyle::kOctal);
}

}  // namespace flotilla::unit
