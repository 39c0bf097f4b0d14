#include "unit/fleet_name.h"

#include <algorithm>
#include <array>

#include "unit/utf8.h"

namespace flotilla::unit {
namespace {

constexpr std::size_t kMaxFleetName = 256;

constexpr std::array<std::string_view, 12> kTypes = {
    "automount", "busname", "device",   "mount",  "path", "scope",
    "service",   "slice",   "snapshot", "socket", "swap", "target",
};
constexpr std::array<std::string_view, 5> kTemplateTypes = {"path", "service", "socket", "target",
                                                            "timer"};

bool is_type(std::string_view suffix) {
  return suffix == "timer" || std::find(kTypes.begin(), kTypes.end(), suffix) != kTypes.end();
}

bool is_template_type(std::string_view suffix) {
  return std::find(kTemplateTypes.begin(), kTemplateTypes.end(), suffix) != kTemplateTypes.end();
}

bool is_allowed(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

struct Range {
  char32_t first;
  char32_t last;
};

// What Go does not print as it stands: controls, format characters, spaces but U+0020, private use.
constexpr std::array kUnprintable = {
    Range{0x00, 0x1f},       Range{0x7f, 0xa0},       Range{0xad, 0xad},
    Range{0x600, 0x605},     Range{0x61c, 0x61c},     Range{0x6dd, 0x6dd},
    Range{0x70f, 0x70f},     Range{0x1680, 0x1680},   Range{0x180e, 0x180e},
    Range{0x2000, 0x200f},   Range{0x2028, 0x202f},   Range{0x205f, 0x206f},
    Range{0x3000, 0x3000},   Range{0xd800, 0xf8ff},   Range{0xfdd0, 0xfdef},
    Range{0xfeff, 0xfeff},   Range{0xfff0, 0xfffb},   Range{0xfffe, 0xffff},
    Range{0x1fffe, 0x1ffff}, Range{0xe0000, 0xe00ff}, Range{0xe01f0, 0x10ffff},
};

bool is_printable(char32_t code) {
  return std::none_of(kUnprintable.begin(), kUnprintable.end(), [code](const Range& range) {
    return code >= range.first && code <= range.last;
  });
}

}  // namespace

std::string quote_go_rune(char32_t code) {
  constexpr std::string_view kLetters = "abtnvfr";  // for 7 to 13
  std::string out = "'";
  if (code == '\'' || code == '\\') {
    out += '\\';
    out += static_cast<char>(code);
  } else if (code >= 7 && code <= 13) {
    out += '\\';
    out += kLetters[code - 7];
  } else if (is_printable(code)) {
    utf8_append(out, code);
  } else if (code < ' ' || code == 0x7f) {
    out += fmt::format("\\x{:02x}", static_cast<unsigned>(code));
  } else if (code <= 0xffff) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
  } else {
    out += fmt::format("\\U{:08x}", static_cast<unsigned>(code));
  }
  return out + "'";
}

std::string quote_go(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    if (length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
      text.remove_prefix(1);
      continue;
    }
    const char32_t code = utf8_decode(text);
    text.remove_prefix(length);
    if (code == '"') {
      out += "\\\"";
    } else if (code == '\'') {
      out += '\'';
    } else {
      const std::string rune = quote_go_rune(code);
      out.append(rune, 1, rune.size() - 2);
    }
  }
  return out + "\"";
}

base::Status validate_fleet_name(std::string_view name) {
  if (name.empty()) return base::invalid("unit name cannot be empty");
  if (name.size() > kMaxFleetName) {
    return base::invalid("unit name exceeds maximum length ({})", kMaxFleetName);
  }
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return base::invalid("unit name must contain \".\"");
  if (dot + 1 == name.size()) return base::invalid("unit name cannot end in \".\"");
  const std::string_view suffix = name.substr(dot + 1);
  if (!is_type(suffix)) return base::invalid("invalid unit type: {}", quote_go(suffix));
  if (name.find('@') != std::string_view::npos && !is_template_type(suffix)) {
    return base::invalid("invalid unit type for template: {}", quote_go(suffix));
  }
  const std::string_view stem = name.substr(0, dot);
  const auto wrong = std::find_if_not(stem.begin(), stem.end(), is_allowed);
  if (wrong != stem.end()) {
    const std::string_view rest = stem.substr(static_cast<std::size_t>(wrong - stem.begin()));
    const char32_t code = utf8_sequence_length(rest) != 0 ? utf8_decode(rest) : U'\ufffd';
    return base::invalid("invalid character {} in unit name", quote_go_rune(code));
  }
  if (name.front() == '@') return base::invalid("unit name cannot start in \"@\"");
  return {};
}

std::optional<FleetName> split_fleet_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  FleetName parts;
  parts.full = name;
  parts.stem = name.substr(0, dot);
  parts.suffix = name.substr(dot);
  const std::size_t at = parts.stem.find('@');
  parts.prefix = parts.stem.substr(0, at);
  if (at != std::string::npos) {
    parts.instance = parts.stem.substr(at + 1);
    parts.template_name = parts.prefix + "@" + parts.suffix;
  }
  return parts;
}

}  // namespace flotilla::unit
