#include "unit/escape.h"

#include "unit/utf8.h"

namespace flotilla::unit {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_escaped(std::string& out, char c) {
  out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
}

// The parts of a path without empty ones and "."; fails on "..".
base::Result<std::string> normalise(std::string_view path) {
  std::string out;
  for (std::size_t begin = 0; begin <= path.size();) {
    std::size_t end = path.find('/', begin);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") return base::invalid("path \"{}\" has a \"..\"", printable(path));
    if (!part.empty() && part != ".") {
      if (!out.empty()) out += '/';
      out += part;
    }
    begin = end + 1;
  }
  return out;
}

}  // namespace

bool is_name_character(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' ||
         c == '-' || c == '_' || c == '.' || c == '\\';
}

std::string escape_name(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '/') {
      out += '-';
    } else if ((i == 0 && c == '.') || c == '-' || c == '\\' || !is_name_character(c)) {
      append_escaped(out, c);
    } else {
      out += c;
    }
  }
  return out;
}

base::Result<std::string> unescape_name(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-') {
      out += '/';
    } else if (text[i] == '\\') {
      const int high = i + 3 < text.size() && text[i + 1] == 'x' ? hex_value(text[i + 2]) : -1;
      const int low = high >= 0 ? hex_value(text[i + 3]) : -1;
      if (low < 0) return base::invalid("\"{}\" has a \"\\\" without \"xHH\"", printable(text));
      if (high == 0 && low == 0) return base::invalid("\"{}\" has an escaped NUL", printable(text));
      out += static_cast<char>(high * 16 + low);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

base::Result<std::string> escape_path(std::string_view path) {
  if (path.empty()) return base::invalid("path is empty");
  FLOTILLA_ASSIGN(std::string normal, normalise(path));
  return normal.empty() ? std::string("-") : escape_name(normal);
}

base::Result<std::string> unescape_path(std::string_view text) {
  if (text.empty()) return base::invalid("escaped path is empty");
  if (text == "-") return std::string("/");
  FLOTILLA_ASSIGN(std::string path, unescape_name(text));
  auto normal = normalise(path);
  if (!normal || *normal != path) {
    return base::invalid("\"{}\" is not the escaped form of a path", printable(text));
  }
  return "/" + path;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    if (length == 0 || (length == 1 && (text[0] < ' ' || text[0] == 0x7f))) {
      append_escaped(out, text[0]);
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace flotilla::unit
