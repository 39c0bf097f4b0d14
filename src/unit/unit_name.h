// The name of a unit by systemd's rules: PREFIX.TYPE, PREFIX@.TYPE (a template) or
// PREFIX@INSTANCE.TYPE. A UnitName that exists is valid, so it never holds a "/" and is safe as a
// file name. A value; freely copied.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

enum class UnitType : std::uint8_t {
  kService,
  kMount,
  kSwap,
  kSocket,
  kTarget,
  kDevice,
  kAutomount,
  kTimer,
  kPath,
  kSlice,
  kScope,
};
inline constexpr int kUnitTypeCount = 11;

// The suffix without its dot: "service".
std::string_view to_string(UnitType type) noexcept;
std::optional<UnitType> find_unit_type(std::string_view suffix) noexcept;

class UnitName {
 public:
  static constexpr std::size_t kMaxLength = 255;

  // Errors: kInvalid with the reason.
  static base::Result<UnitName> parse(std::string_view text);
  static bool is_valid(std::string_view text) { return parse(text).has_value(); }
  // The unit that stands for a path: ("/var/my data", kMount) is "var-my\x20data.mount".
  static base::Result<UnitName> from_path(std::string_view path, UnitType type);

  const std::string& str() const noexcept { return text_; }
  UnitType type() const noexcept { return type_; }

  // "foo@bar.service": prefix "foo", instance "bar", stem "foo@bar", suffix ".service".
  std::string_view prefix() const noexcept { return view().substr(0, prefix_length_); }
  std::string_view instance() const noexcept;  // empty unless is_instance()
  std::string_view stem() const noexcept { return view().substr(0, dot_); }
  std::string_view suffix() const noexcept { return view().substr(dot_); }

  bool is_plain() const noexcept { return prefix_length_ == dot_; }
  bool is_template() const noexcept { return prefix_length_ + 1U == dot_; }
  bool is_instance() const noexcept { return prefix_length_ + 1U < dot_; }

  // The template an instance is made from: "foo@bar.service" gives "foo@.service".
  // Requires: !is_plain().
  UnitName template_name() const;
  // "foo@.service" with "x" gives "foo@x.service", whatever the instance was before.
  base::Result<UnitName> with_instance(std::string_view instance) const;
  // The unit of the same stem and another type: "a.socket" gives "a.service". Too long is an error.
  base::Result<UnitName> with_type(UnitType type) const;

  bool operator==(const UnitName& other) const noexcept { return text_ == other.text_; }
  auto operator<=>(const UnitName& other) const noexcept { return text_ <=> other.text_; }

 private:
  UnitName(std::string text, UnitType type, std::size_t prefix_length, std::size_t dot);
  std::string_view view() const noexcept { return text_; }

  std::string text_;
  UnitType type_;
  std::uint16_t prefix_length_;  // up to the first "@", or to the last "."
  std::uint16_t dot_;            // the last "."
};

// What a user may write where a name is meant: "foo" is "foo.service" (the default type), "/home"
// is "home.mount", "/dev/sda" is "dev-sda.device"; characters that no name has are escaped.
base::Result<UnitName> mangle_unit_name(std::string_view text,
                                        UnitType default_type = UnitType::kService);

}  // namespace flotilla::unit

template <>
struct std::hash<flotilla::unit::UnitName> {
  std::size_t operator()(const flotilla::unit::UnitName& name) const noexcept {
    return std::hash<std::string>()(name.str());
  }
};
