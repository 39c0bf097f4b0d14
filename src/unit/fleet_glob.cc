#include "unit/fleet_glob.h"

#include <optional>
#include <vector>

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

struct Range {
  char32_t first;
  char32_t last;
};

// One element of a pattern. The ranges are those of the rune or class; "*" and "?" have none.
struct Element {
  enum class Kind { kLiteral, kClass, kAnyOne, kAnyRun };
  Kind kind = Kind::kLiteral;
  bool negated = false;
  std::vector<Range> ranges;

  bool matches(char32_t rune) const {
    if (kind == Kind::kAnyOne) return rune != '/';
    bool inside = false;
    for (const Range& range : ranges) inside |= rune >= range.first && rune <= range.last;
    return inside != negated;
  }
};

// A character of a class, where "-" and "]" need a "\" before them.
std::optional<char32_t> take_class_rune(std::string_view& rest) {
  if (rest.empty() || rest.front() == '-' || rest.front() == ']') return std::nullopt;
  if (rest.front() == '\\') {
    rest.remove_prefix(1);
    if (rest.empty()) return std::nullopt;
  }
  if (utf8_sequence_length(rest) == 0) return std::nullopt;
  return take_rune(rest);
}

std::optional<Element> take_class(std::string_view& rest) {
  Element element;
  element.kind = Element::Kind::kClass;
  if (rest.starts_with('^')) {
    element.negated = true;
    rest.remove_prefix(1);
  }
  while (true) {
    if (rest.starts_with(']') && !element.ranges.empty()) {
      rest.remove_prefix(1);
      return element;
    }
    const auto first = take_class_rune(rest);
    if (!first || rest.empty()) return std::nullopt;
    auto last = first;
    if (rest.front() == '-') {
      rest.remove_prefix(1);
      last = take_class_rune(rest);
      if (!last || rest.empty()) return std::nullopt;
    }
    element.ranges.push_back(Range{*first, *last});
  }
}

// Nothing if the pattern is malformed.
std::optional<std::vector<Element>> compile(std::string_view pattern) {
  std::vector<Element> elements;
  while (!pattern.empty()) {
    if (pattern.front() == '[') {
      pattern.remove_prefix(1);
      auto element = take_class(pattern);
      if (!element) return std::nullopt;
      elements.push_back(std::move(*element));
      continue;
    }
    Element element;
    if (pattern.front() == '*' || pattern.front() == '?') {
      element.kind = pattern.front() == '*' ? Element::Kind::kAnyRun : Element::Kind::kAnyOne;
      pattern.remove_prefix(1);
    } else {
      if (pattern.front() == '\\') {
        pattern.remove_prefix(1);
        if (pattern.empty()) return std::nullopt;
      }
      const char32_t rune = take_rune(pattern);
      element.ranges.push_back(Range{rune, rune});
    }
    elements.push_back(std::move(element));
  }
  return elements;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  const auto elements = compile(pattern);
  if (!elements) return false;
  // reachable[i]: the first i elements match what has been read of the name.
  std::vector<char> reachable(elements->size() + 1, 0);
  const auto skip_stars = [&] {
    for (std::size_t i = 0; i < elements->size(); ++i) {
      if (reachable[i] != 0 && (*elements)[i].kind == Element::Kind::kAnyRun) reachable[i + 1] = 1;
    }
  };
  reachable[0] = 1;
  skip_stars();
  while (!name.empty()) {
    const char32_t rune = take_rune(name);
    for (std::size_t i = elements->size(); i > 0; --i) {
      const Element& element = (*elements)[i - 1];
      if (element.kind == Element::Kind::kAnyRun) {
        // A star eats the rune and stays; what stands before it is left for skip_stars.
        reachable[i] = rune != '/' && reachable[i] != 0 ? 1 : 0;
      } else {
        reachable[i] = reachable[i - 1] != 0 && element.matches(rune) ? 1 : 0;
      }
    }
    reachable[0] = 0;
    skip_stars();
  }
  return reachable.back() != 0;
}

}  // namespace flotilla::unit
