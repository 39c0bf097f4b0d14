#include "registry/plain_json.h"

#include <algorithm>
#include <charconv>

namespace flotilla::registry {

namespace {

// Stands in a string for itself.
bool is_plain(char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; }

// What the letter after a backslash means; NUL for one that needs a whole parser.
char meaning_of(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
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
    default:
      return '\0';
  }
}

// How many characters up to the first that is not plain.
size_t plain_length(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin());
}

}  // namespace

bool PlainJson::take(std::string_view text) {
  if (left_.substr(0, text.size()) != text) return false;
  left_.remove_prefix(text.size());
  return true;
}

bool PlainJson::take(char c) {
  if (left_.empty() || left_.front() != c) return false;
  left_.remove_prefix(1);
  return true;
}

bool PlainJson::word(std::string_view& word) {
  if (!take('"')) return false;
  word = left_.substr(0, plain_length(left_));
  left_.remove_prefix(word.size());
  return take('"');
}

bool PlainJson::text(std::string& text) {
  if (!take('"')) return false;
  text.clear();
  while (true) {
    const size_t length = plain_length(left_);
    text.append(left_.substr(0, length));
    left_.remove_prefix(length);
    if (take('"')) return true;
    if (left_.size() < 2 || left_.front() != '\\') return false;
    const char meant = meaning_of(left_[1]);
    if (meant == '\0') return false;
    text += meant;
    left_.remove_prefix(2);
  }
}

bool PlainJson::skip_text() {
  if (!take('"')) return false;
  while (true) {
    left_.remove_prefix(plain_length(left_));
    if (take('"')) return true;
    if (left_.size() < 2 || left_.front() != '\\' || meaning_of(left_[1]) == '\0') return false;
    left_.remove_prefix(2);
  }
}

bool PlainJson::number(uint64_t& number) {
  const bool has_zero_in_front = left_.size() > 1 && left_[0] == '0' && left_[1] >= '0';
  if (has_zero_in_front) return false;
  const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), number);
  if (error != std::errc()) return false;
  left_.remove_prefix(static_cast<size_t>(end - left_.data()));
  // A fraction or an exponent would follow.
  return !left_.empty() && (left_.front() == ',' || left_.front() == '}');
}

bool PlainJson::boolean(bool& boolean) {
  boolean = take("true");
  return boolean || take("false");
}

}  // namespace flotilla::registry
