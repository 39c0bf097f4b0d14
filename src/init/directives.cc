#include "init/directives.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>

#include "init/directives_parsers.h"

namespace flotilla::init {
namespace {

constexpr Directive kDirectives[] = {
#include "init/directives_table.inc"
};

constexpr bool is_before(const Directive& a, const Directive& b) {
  return a.section != b.section ? a.section < b.section : a.name < b.name;
}

constexpr bool is_sorted_table() {
  for (size_t i = 1; i < std::size(kDirectives); ++i) {
    if (!is_before(kDirectives[i - 1], kDirectives[i])) return false;
  }
  return true;
}
static_assert(is_sorted_table(), "directives_table.inc must be sorted by section and name");

// Where a directive stands by its hash, as every line of every unit file asks for one: twice as
// many places as directives or more, a taken one leads to the next. 0 is free, else one above its
// index.
constexpr size_t kPlaces = 4096;
static_assert(std::size(kDirectives) * 2 <= kPlaces);

constexpr size_t place_of(std::string_view section, std::string_view name) {
  uint32_t hash = 2166136261U;  // FNV-1a
  for (const std::string_view text : {section, name}) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  return (hash ^ hash >> 16) % kPlaces;
}

constexpr std::array<uint16_t, kPlaces> make_places() {
  std::array<uint16_t, kPlaces> places{};
  for (size_t i = 0; i < std::size(kDirectives); ++i) {
    size_t at = place_of(kDirectives[i].section, kDirectives[i].name);
    while (places[at] != 0) at = (at + 1) % kPlaces;
    places[at] = static_cast<uint16_t>(i + 1);
  }
  return places;
}
constexpr std::array<uint16_t, kPlaces> kPlaceTable = make_places();

DirectiveParser find_in(std::span<const NamedParser> parsers, std::string_view name) {
  const auto found =
      std::lower_bound(parsers.begin(), parsers.end(), name,
                       [](const NamedParser& a, std::string_view b) { return a.name < b; });
  return found != parsers.end() && found->name == name ? found->parse : nullptr;
}

bool has_prefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

const Directive* directives_begin() noexcept { return std::begin(kDirectives); }
const Directive* directives_end() noexcept { return std::end(kDirectives); }

const Directive* find_directive(std::string_view section, std::string_view name) noexcept {
  for (size_t at = place_of(section, name); kPlaceTable[at] != 0; at = (at + 1) % kPlaces) {
    const Directive& found = kDirectives[kPlaceTable[at] - 1];
    if (found.name == name && found.section == section) return &found;
  }
  return nullptr;
}

bool is_known_section(std::string_view section) noexcept {
  const Directive wanted{section, {}, {}, DirectiveStatus::kNotYet};
  const Directive* found =
      std::lower_bound(directives_begin(), directives_end(), wanted, is_before);
  return found != directives_end() && found->section == section;
}

DirectiveParser find_parser(std::string_view section, std::string_view name) noexcept {
  const Directive* directive = find_directive(section, name);
  if (directive == nullptr || (directive->status != DirectiveStatus::kImplemented &&
                               directive->status != DirectiveStatus::kShown)) {
    return nullptr;
  }
  if (section == "Unit") {
    const bool is_condition = has_prefix(name, "Condition") || has_prefix(name, "Assert");
    const auto parser = find_in(unit_section_parsers(), is_condition ? "~condition" : name);
    return parser != nullptr ? parser : find_in(action_parsers(), name);
  }
  if (section == "Service") {
    for (const auto parsers : {service_section_parsers(), exec_parsers(), exec_extras_parsers(),
                               cgroup_parsers(), sandbox_parsers(), action_parsers()}) {
      if (const DirectiveParser parser = find_in(parsers, name)) return parser;
    }
  }
  if (section == "Slice" || section == "Scope") {
    if (const DirectiveParser parser = find_in(cgroup_parsers(), name)) return parser;
  }
  // How a scope is stopped is said, and done, as with a service.
  if (section == "Scope") {
    const DirectiveParser parser = find_in(service_section_parsers(), name);
    return parser != nullptr ? parser : find_in(exec_parsers(), name);
  }
  return nullptr;
}

}  // namespace flotilla::init
