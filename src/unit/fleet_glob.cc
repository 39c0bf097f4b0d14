#include "unit/fleet_glob.h"

#include <optional>

#include "unit/utf8.h"

namespace flotilla::unit {
namespace {

// One character of UTF-8; an invalid byte counts as U+FFFD.
char32_t take_rune(std::string_view& text) {
  const std::size_t length = utf8_sequence_length(text);
  const char32_t rune = length == 0 ? U'\ufffd' : utf8_decode(text);
  text.remove_prefix(length == 0 ? 1 : length);
  return rune;
}

// A character of a class, where "-" and "]" need a "\" before them. More must follow.
std::optional<char32_t> take_class_rune(std::string_view& rest) {
  if (rest.empty() || rest.front() == '-' || rest.front() == ']') return std::nullopt;
  if (rest.front() == '\\') rest.remove_prefix(1);
  if (utf8_sequence_length(rest) == 0) return std::nullopt;
  const char32_t rune = take_rune(rest);
  if (rest.empty()) return std::nullopt;
  return rune;
}

// Takes the class behind its "[" off the pattern. Nothing if it is malformed, else whether the rune
// is of it.
std::optional<bool> take_class(std::string_view& rest, char32_t rune) {
  const bool negated = rest.starts_with('^');
  if (negated) rest.remove_prefix(1);
  bool inside = false;
  for (bool is_first = true;; is_first = false) {
    if (rest.starts_with(']') && !is_first) {
      rest.remove_prefix(1);
      return inside != negated;
    }
    const auto first = take_class_rune(rest);
    if (!first) return std::nullopt;
    auto last = first;
    if (rest.front() == '-') {
      rest.remove_prefix(1);
      last = take_class_rune(rest);
      if (!last) return std::nullopt;
    }
    inside |= *first <= rune && rune <= *last;
  }
}

// The pattern up to its next "*" that is one.
std::string_view take_chunk(std::string_view& pattern) {
  bool in_class = false;
  std::size_t i = 0;
  for (; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '[') {
      in_class = true;
    } else if (pattern[i] == ']') {
      in_class = false;
    } else if (pattern[i] == '*' && !in_class) {
      break;
    }
  }
  const std::string_view chunk = pattern.substr(0, i);
  pattern.remove_prefix(chunk.size());
  return chunk;
}

// What is left of the name behind a chunk without "*", or nothing if it does not begin with one.
std::optional<std::string_view> match_chunk(std::string_view chunk, std::string_view name) {
  while (!chunk.empty()) {
    if (name.empty()) return std::nullopt;
    if (chunk.front() == '[') {
      chunk.remove_prefix(1);
      if (!take_class(chunk, take_rune(name)).value_or(false)) return std::nullopt;
      continue;
    }
    if (chunk.front() == '?') {
      if (name.front() == '/') return std::nullopt;
      chunk.remove_prefix(1);
      take_rune(name);
      continue;
    }
    if (chunk.front() == '\\') chunk.remove_prefix(1);
    if (chunk.empty() || chunk.front() != name.front()) return std::nullopt;
    chunk.remove_prefix(1);
    name.remove_prefix(1);
  }
  return name;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  while (!pattern.empty()) {
    const bool has_star = pattern.front() == '*';
    pattern.remove_prefix(std::min(pattern.find_first_not_of('*'), pattern.size()));
    const std::string_view chunk = take_chunk(pattern);
    if (has_star && chunk.empty()) return name.find('/') == std::string_view::npos;
    // As in Go, a star takes as little as lets its chunk match, and never takes more later on.
    std::optional<std::string_view> rest;
    for (;;) {
      rest = match_chunk(chunk, name);
      if (rest && pattern.empty() && !rest->empty()) rest.reset();
      if (rest || !has_star || name.empty() || name.front() == '/') break;
      name.remove_prefix(1);
    }
    if (!rest) return false;
    name = *rest;
  }
  return name.empty();
}

}  // namespace flotilla::unit
