#include "bus/object_path.h"

#include <charconv>

namespace flotilla::bus {
namespace {

constexpr std::string_view kUnitPrefix = "/org/freedesktop/systemd1/unit/";
constexpr std::string_view kJobPrefix = "/org/freedesktop/systemd1/job/";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string_view> after_prefix(std::string_view path, std::string_view prefix) {
  if (path.size() <= prefix.size() || path.substr(0, prefix.size()) != prefix) return {};
  return path.substr(prefix.size());
}

}  // namespace

std::string escape_path_element(std::string_view text) {
  if (text.empty()) return "_";
  constexpr char kDigits[] = "0123456789abcdef";
  std::string element;
  for (char c : text) {
    if (is_letter(c) || (is_digit(c) && !element.empty())) {
      element += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    element += '_';
    element += kDigits[byte >> 4];
    element += kDigits[byte & 15];
  }
  return element;
}

std::optional<std::string> unescape_path_element(std::string_view element) {
  if (element.empty()) return {};
  if (element == "_") return std::string();
  std::string text;
  for (size_t i = 0; i < element.size(); ++i) {
    const char c = element[i];
    if (c == '_') {
      const int high = i + 2 < element.size() ? hex_value(element[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_value(element[i + 2]);
      if (low < 0) {
        text += c;
        continue;
      }
      text += static_cast<char>(high * 16 + low);
      i += 2;
    } else if (is_letter(c) || is_digit(c)) {
      text += c;
    } else {
      return {};
    }
  }
  return text;
}

std::string unit_path(std::string_view unit) {
  return std::string(kUnitPrefix) + escape_path_element(unit);
}

std::optional<std::string> unit_of_path(std::string_view path) {
  const auto element = after_prefix(path, kUnitPrefix);
  return element ? unescape_path_element(*element) : std::nullopt;
}

std::string job_path(uint32_t id) { return std::string(kJobPrefix) + std::to_string(id); }

std::optional<uint32_t> job_of_path(std::string_view path) {
  const auto element = after_prefix(path, kJobPrefix);
  if (!element || (element->front() == '0' && element->size() > 1)) return {};
  uint32_t id = 0;
  const char* end = element->data() + element->size();
  const auto [stop, error] = std::from_chars(element->data(), end, id);
  if (error != std::errc() || stop != end) return {};
  return id;
}

}  // namespace flotilla::bus
