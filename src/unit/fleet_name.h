// Names of units by fleet's rules, which differ from systemd's: 256 bytes are allowed, and only
// some types may be templates. Used where users' names come in (API, fleetctl); what runs a unit
// checks it by systemd's rules too. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

// Errors: kInvalid with fleet's text, the first that applies.
base::Status validate_fleet_name(std::string_view name);

// The parts of a name. "foo@bar.service": stem "foo@bar", prefix "foo", instance "bar", suffix
// ".service", template_name "foo@.service".
struct FleetName {
  std::string full;
  std::string stem;           // without the suffix
  std::string prefix;         // before the first "@", or the stem
  std::string instance;       // empty for a plain name and a template
  std::string template_name;  // empty for a plain name
  std::string suffix;         // with its dot

  bool is_template() const noexcept { return !template_name.empty() && instance.empty(); }
  bool is_instance() const noexcept { return !instance.empty(); }
};

// Does not validate; nothing if the name has no ".".
std::optional<FleetName> split_fleet_name(std::string_view name);

// A rune as Go's %q prints it: 'x', '\'', '\n', '\u00a0'. Invalid UTF-8 is U+FFFD.
std::string quote_go_rune(char32_t code);
// A text as Go's %q prints it, with its quotes: what is not printable, and bytes that are no UTF-8,
// as escapes.
std::string quote_go(std::string_view text);

}  // namespace flotilla::unit
