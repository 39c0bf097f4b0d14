#include "unit/unit_name.h"

#include <array>
#include <utility>

#include "unit/escape.h"

namespace flotilla::unit {
namespace {

constexpr std::array<std::string_view, kUnitTypeCount> kTypeNames = {
    "service",   "mount", "swap", "socket", "target", "device",
    "automount", "timer", "path", "slice",  "scope",
};

}  // namespace

std::string_view to_string(UnitType type) noexcept {
  return kTypeNames[static_cast<std::size_t>(type)];
}

std::optional<UnitType> find_unit_type(std::string_view suffix) noexcept {
  for (std::size_t i = 0; i < kTypeNames.size(); ++i) {
    if (kTypeNames[i] == suffix) return static_cast<UnitType>(i);
  }
  return std::nullopt;
}

UnitName::UnitName(std::string text, UnitType type, std::size_t prefix_length, std::size_t dot)
    : text_(std::move(text)),
      type_(type),
      prefix_length_(static_cast<std::uint16_t>(prefix_length)),
      dot_(static_cast<std::uint16_t>(dot)) {}

base::Result<UnitName> UnitName::parse(std::string_view text) {
  if (text.empty()) return base::invalid("unit name is empty");
  if (text.size() > kMaxLength) {
    return base::invalid("unit name has {} bytes, at most {} are allowed: \"{}...\"", text.size(),
                         kMaxLength, printable(text.substr(0, 32)));
  }
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) {
    return base::invalid("unit name \"{}\" has no type suffix such as \".service\"",
                         printable(text));
  }
  if (dot == 0) {
    return base::invalid("unit name \"{}\" has nothing before its type", printable(text));
  }
  const std::optional<UnitType> type = find_unit_type(text.substr(dot + 1));
  if (!type) {
    return base::invalid("unit name \"{}\" has the unknown type \"{}\"", printable(text),
                         printable(text.substr(dot + 1)));
  }
  for (char c : text.substr(0, dot)) {
    if (!is_name_character(c) && c != '@') {
      return base::invalid("unit name \"{}\" has the forbidden character '{}'", printable(text),
                           printable(std::string_view(&c, 1)));
    }
  }
  const std::size_t at = text.substr(0, dot).find('@');
  if (at == 0) return base::invalid("unit name \"{}\" has nothing before its \"@\"", text);
  return UnitName(std::string(text), *type, at == std::string_view::npos ? dot : at, dot);
}

base::Result<UnitName> UnitName::from_path(std::string_view path, UnitType type) {
  FLOTILLA_ASSIGN(std::string escaped, escape_path(path));
  return parse(escaped + "." + std::string(to_string(type)));
}

std::string_view UnitName::instance() const noexcept {
  if (!is_instance()) return {};
  return view().substr(prefix_length_ + 1U, dot_ - prefix_length_ - 1U);
}

UnitName UnitName::template_name() const {
  std::string text = std::string(prefix()) + "@" + std::string(suffix());
  return {std::move(text), type_, prefix_length_, prefix_length_ + 1U};
}

base::Result<UnitName> UnitName::with_instance(std::string_view instance) const {
  if (is_plain()) {
    return base::invalid("unit \"{}\" is no template, it cannot take an instance", text_);
  }
  return parse(std::string(prefix()) + "@" + std::string(instance) + std::string(suffix()));
}

base::Result<UnitName> UnitName::with_type(UnitType type) const {
  return parse(std::string(stem()) + "." + std::string(to_string(type)));
}

base::Result<UnitName> mangle_unit_name(std::string_view text, UnitType default_type) {
  if (text.empty()) return base::invalid("unit name is empty");
  if (auto name = UnitName::parse(text)) return name;
  if (text.front() == '/') {
    const bool is_device = text.starts_with("/dev/");
    auto name = UnitName::from_path(text, is_device ? UnitType::kDevice : UnitType::kMount);
    if (name) return name;
  }
  std::string mangled;
  for (char c : text) {
    if (c == '/') {
      mangled += '-';
    } else if (is_name_character(c) || c == '@') {
      mangled += c;
    } else {
      mangled += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  const std::size_t dot = mangled.rfind('.');
  if (dot == std::string::npos || !find_unit_type(std::string_view(mangled).substr(dot + 1))) {
    mangled += "." + std::string(to_string(default_type));
  }
  return UnitName::parse(mangled);
}

}  // namespace flotilla::unit
