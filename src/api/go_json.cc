#include "api/go_json.h"

#include "unit/fleet_name.h"
#include "unit/utf8.h"

namespace flotilla::api {
namespace {

constexpr size_t kMaxDepth = 10'000;
constexpr std::string_view kBlanks = " \t\r\n";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte as Go prints it in its messages: it takes it for a rune.
std::string quoted(char c) {
  if (c == '"') return "'\"'";
  return unit::quote_go_rune(static_cast<unsigned char>(c));
}

// Finds the end of the first value, or what is wrong with it.
class Check {
 public:
  explicit Check(std::string_view text) : text_(text) {}

  base::Status run() {
    skip_blanks();
    if (is_end()) return base::invalid("EOF");
    for (;;) {
      FLOTILLA_TRY(step());
      if (is_done_) return {};
      skip_blanks();
      if (is_end()) return truncated();
    }
  }

 private:
  enum class Expect : uint8_t { kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kMore };

  bool is_end() const { return at_ == text_.size(); }
  char next() const { return text_[at_]; }
  void skip_blanks() {
    while (!is_end() && kBlanks.find(next()) != std::string_view::npos) ++at_;
  }
  static base::Status truncated() { return base::invalid("unexpected EOF"); }
  base::Status wrong(std::string_view where) const {
    return base::invalid("invalid character {} {}", quoted(next()), where);
  }

  base::Status step() {
    const char c = next();
    switch (expect_) {
      case Expect::kValueOrEnd:
        if (c == ']') return close();
        [[fallthrough]];
      case Expect::kValue:
        return value();
      case Expect::kKeyOrEnd:
        if (c == '}') return close();
        [[fallthrough]];
      case Expect::kKey:
        if (c != '"') return wrong("looking for beginning of object key string");
        FLOTILLA_TRY(string());
        expect_ = Expect::kColon;
        return {};
      case Expect::kColon:
        if (c != ':') return wrong("after object key");
        ++at_;
        expect_ = Expect::kValue;
        return {};
      case Expect::kMore:
        break;
    }
    const bool in_object = open_.back() == '{';
    if (c == (in_object ? '}' : ']')) return close();
    if (c != ',') return wrong(in_object ? "after object key:value pair" : "after array element");
    ++at_;
    expect_ = in_object ? Expect::kKey : Expect::kValue;
    return {};
  }

  base::Status value() {
    const char c = next();
    if (c == '{' || c == '[') {
      if (open_.size() == kMaxDepth) return base::invalid("exceeded max depth");
      open_ += c;
      ++at_;
      expect_ = c == '{' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
      return {};
    }
    if (c == '"') {
      FLOTILLA_TRY(string());
    } else if (c == '-' || is_digit(c)) {
      FLOTILLA_TRY(number());
    } else if (c == 't' || c == 'f' || c == 'n') {
      FLOTILLA_TRY(literal(c == 't' ? "true" : c == 'f' ? "false" : "null"));
    } else {
      return wrong("looking for beginning of value");
    }
    return end_value();
  }

  base::Status close() {
    open_.pop_back();
    ++at_;
    return end_value();
  }

  base::Status end_value() {
    is_done_ = open_.empty();
    expect_ = Expect::kMore;
    return {};
  }

  base::Status literal(std::string_view word) {
    for (size_t i = 0; i < word.size(); ++i, ++at_) {
      if (is_end()) return truncated();
      if (next() != word[i]) {
        return wrong(fmt::format("in literal {} (expecting {})", word, quoted(word[i])));
      }
    }
    return {};
  }

  base::Status digits(std::string_view where) {
    if (is_end()) return truncated();
    if (!is_digit(next())) return wrong(where);
    while (!is_end() && is_digit(next())) ++at_;
    return {};
  }

  base::Status number() {
    if (next() == '-') ++at_;
    if (!is_end() && next() == '0') {
      ++at_;
    } else {
      FLOTILLA_TRY(digits("in numeric literal"));
    }
    if (!is_end() && next() == '.') {
      ++at_;
      FLOTILLA_TRY(digits("after decimal point in numeric literal"));
    }
    if (!is_end() && (next() == 'e' || next() == 'E')) {
      ++at_;
      if (!is_end() && (next() == '+' || next() == '-')) ++at_;
      FLOTILLA_TRY(digits("in exponent of numeric literal"));
    }
    return {};
  }

  base::Status string() {
    for (++at_; !is_end(); ++at_) {
      const char c = next();
      if (c == '"') {
        ++at_;
        return {};
      }
      if (static_cast<unsigned char>(c) < 0x20) return wrong("in string literal");
      if (c != '\\') continue;
      ++at_;
      if (is_end()) break;
      if (next() == 'u') {
        for (int i = 0; i < 4; ++i) {
          if (++at_ == text_.size()) return truncated();
          if (hex_digit(next()) < 0) return wrong("in \\u hexadecimal character escape");
        }
      } else if (std::string_view("\"\\/bfnrt").find(next()) == std::string_view::npos) {
        return wrong("in string escape code");
      }
    }
    return truncated();
  }

  std::string_view text_;
  size_t at_ = 0;
  Expect expect_ = Expect::kValue;
  bool is_done_ = false;
  std::string open_;  // the brackets around us
};

// Requires: four hexadecimal digits.
char32_t code_unit(std::string_view digits) {
  char32_t code = 0;
  for (const char c : digits.substr(0, 4)) code = code << 4U | static_cast<char32_t>(hex_digit(c));
  return code;
}

// What follows a backslash; returns how many bytes of it were read.
size_t append_escaped(std::string& out, std::string_view escape) {
  constexpr char32_t kReplacement = 0xFFFD;
  const char c = escape[0];
  if (c != 'u') {
    constexpr std::string_view kLetters = "bfnrt";
    const size_t letter = kLetters.find(c);
    out += letter == std::string_view::npos ? c : "\b\f\n\r\t"[letter];
    return 1;
  }
  const char32_t first = code_unit(escape.substr(1));
  if (first < 0xD800 || first > 0xDFFF) {
    unit::utf8_append(out, first);
    return 5;
  }
  const bool has_second = first < 0xDC00 && escape.size() >= 11 && escape.substr(5, 2) == "\\u";
  const char32_t second = has_second ? code_unit(escape.substr(7)) : 0;
  if (second < 0xDC00 || second > 0xDFFF) {
    unit::utf8_append(out, kReplacement);
    return 5;
  }
  unit::utf8_append(out, 0x10000 + ((first - 0xD800) << 10U) + (second - 0xDC00));
  return 11;
}

}  // namespace

base::Result<GoJson> GoJson::begin(std::string_view text) {
  FLOTILLA_TRY(Check(text).run());
  GoJson cursor(text);
  cursor.skip_blanks();
  return cursor;
}

GoJson::Kind GoJson::kind() const {
  switch (rest_.front()) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

std::string_view GoJson::kind_name() const {
  constexpr std::string_view kNames[] = {"null", "bool", "number", "string", "array", "object"};
  return kNames[static_cast<size_t>(kind())];
}

std::string GoJson::text() {
  std::string out;
  rest_.remove_prefix(1);
  while (rest_.front() != '"') {
    if (rest_.front() == '\\') {
      rest_.remove_prefix(1);
      rest_.remove_prefix(append_escaped(out, rest_));
      continue;
    }
    const size_t length = unit::utf8_sequence_length(rest_);
    out += length == 0 ? std::string_view("\uFFFD") : rest_.substr(0, length);
    rest_.remove_prefix(length == 0 ? 1 : length);
  }
  rest_.remove_prefix(1);
  skip_blanks();
  return out;
}

void GoJson::skip() {
  size_t depth = 0;
  do {
    const char c = rest_.front();
    if (c == '"') {
      size_t end = 1;
      for (; rest_[end] != '"'; ++end) end += rest_[end] == '\\' ? 1 : 0;
      rest_.remove_prefix(end + 1);
    } else if (c == '{' || c == '[' || c == '}' || c == ']') {
      depth = c == '{' || c == '[' ? depth + 1 : depth - 1;
      rest_.remove_prefix(1);
    } else if (c == ',' || c == ':') {
      rest_.remove_prefix(1);
    } else {
      rest_.remove_prefix(std::min(rest_.find_first_of(",:]} \t\r\n"), rest_.size()));
    }
    skip_blanks();
  } while (depth > 0);
}

void GoJson::enter() {
  rest_.remove_prefix(1);
  skip_blanks();
}

bool GoJson::leave(char bracket) {
  if (rest_.front() != bracket) return false;
  rest_.remove_prefix(1);
  skip_blanks();
  return true;
}

void GoJson::pass(char separator) {
  if (rest_.empty() || rest_.front() != separator) return;
  rest_.remove_prefix(1);
  skip_blanks();
}

void GoJson::skip_blanks() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
}

bool is_field(std::string_view key, std::string_view field) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  // Two letters beyond ASCII are the same as one of it but for their case.
  const auto take_lower = [&] {
    for (const auto& [sign, letter] : {std::pair("\u017f", 's'), std::pair("\u212a", 'k')}) {
      if (!key.starts_with(sign)) continue;
      key.remove_prefix(std::string_view(sign).size());
      return letter;
    }
    const char letter = lower(key.front());
    key.remove_prefix(1);
    return letter;
  };
  for (const char c : field) {
    if (key.empty() || take_lower() != lower(c)) return false;
  }
  return key.empty();
}

}  // namespace flotilla::api
