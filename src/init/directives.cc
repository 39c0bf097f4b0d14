#include "init/directives.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>

#include "init/directives_parsers.h"

namespace flotilla::init {
namespace {

// As it is written down. Used by the compiler alone, to make from it what the program has.
struct Row {
  std::string_view section, name, kind;
  DirectiveStatus status;
};
constexpr Row kRows[] = {
#include "init/directives_table.inc"
};

constexpr bool is_before(const Row& a, const Row& b) {
  return a.section != b.section ? a.section < b.section : a.name < b.name;
}

constexpr bool is_sorted_table() {
  for (size_t i = 1; i < std::size(kRows); ++i) {
    if (!is_before(kRows[i - 1], kRows[i])) return false;
  }
  return true;
}
static_assert(is_sorted_table(), "directives_table.inc must be sorted by section and name");

// Neighbours are often of one section and one kind, whose text is there once for them.
constexpr bool has_section_of_last(size_t i) {
  return i > 0 && kRows[i].section == kRows[i - 1].section;
}
constexpr bool has_kind_of_last(size_t i) { return i > 0 && kRows[i].kind == kRows[i - 1].kind; }

constexpr size_t size_of_texts() {
  size_t size = 0;
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (!has_section_of_last(i)) size += kRows[i].section.size();
    size += kRows[i].name.size();
    if (!has_kind_of_last(i)) size += kRows[i].kind.size();
  }
  return size;
}
static_assert(size_of_texts() <= UINT16_MAX);

struct Table {
  std::array<Directive, std::size(kRows)> rows{};
  std::array<char, size_of_texts()> texts{};
};

constexpr Table make_table() {
  Table table;
  size_t used = 0;
  const auto add = [&](std::string_view text) {
    const Directive::Text added{static_cast<uint16_t>(used), static_cast<uint8_t>(text.size())};
    for (const char c : text) table.texts[used++] = c;
    return added;
  };
  for (size_t i = 0; i < std::size(kRows); ++i) {
    Directive& row = table.rows[i];
    row.section_text =
        has_section_of_last(i) ? table.rows[i - 1].section_text : add(kRows[i].section);
    row.name_text = add(kRows[i].name);
    row.kind_text = has_kind_of_last(i) ? table.rows[i - 1].kind_text : add(kRows[i].kind);
    row.status = kRows[i].status;
  }
  return table;
}
constexpr Table kTable = make_table();

std::string_view text_at(Directive::Text text) noexcept {
  return {kTable.texts.data() + text.at, text.size};
}

// Where a directive stands by its hash, as every line of every unit file asks for one: twice as
// many places as directives or more, a taken one leads to the next. 0 is free, else one above its
// index.
constexpr size_t kPlaces = 4096;
static_assert(std::size(kRows) * 2 <= kPlaces);

constexpr size_t place_of(std::string_view section, std::string_view name) {
  uint32_t hash = 2166136261U;  // FNV-1a
  for (const std::string_view text : {section, name}) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  return (hash ^ hash >> 16) % kPlaces;
}

constexpr std::array<uint16_t, kPlaces> make_places() {
  std::array<uint16_t, kPlaces> places{};
  for (size_t i = 0; i < std::size(kRows); ++i) {
    size_t at = place_of(kRows[i].section, kRows[i].name);
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

std::string_view Directive::section() const noexcept { return text_at(section_text); }
std::string_view Directive::name() const noexcept { return text_at(name_text); }
std::string_view Directive::kind() const noexcept { return text_at(kind_text); }

const Directive* directives_begin() noexcept { return kTable.rows.data(); }
const Directive* directives_end() noexcept { return kTable.rows.data() + kTable.rows.size(); }

const Directive* find_directive(std::string_view section, std::string_view name) noexcept {
  for (size_t at = place_of(section, name); kPlaceTable[at] != 0; at = (at + 1) % kPlaces) {
    const Directive& found = kTable.rows[kPlaceTable[at] - 1U];
    if (found.name() == name && found.section() == section) return &found;
  }
  return nullptr;
}

bool is_known_section(std::string_view section) noexcept {
  const Directive* found = std::lower_bound(
      directives_begin(), directives_end(), section,
      [](const Directive& row, std::string_view wanted) { return row.section() < wanted; });
  return found != directives_end() && found->section() == section;
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
    for (const auto parsers :
         {service_section_parsers(), exec_parsers(), exec_extras_parsers(), cgroup_parsers(),
          sandbox_parsers(), action_parsers(), cgroup_network_parsers()}) {
      if (const DirectiveParser parser = find_in(parsers, name)) return parser;
    }
  }
  if (section == "Socket") return find_in(socket_parsers(), name);
  if (section == "Mount") {
    for (const auto parsers :
         {mount_parsers(), exec_parsers(), exec_extras_parsers(), cgroup_parsers(),
          sandbox_parsers(), service_section_parsers(), cgroup_network_parsers()}) {
      if (const DirectiveParser parser = find_in(parsers, name)) return parser;
    }
  }
  if (section == "Slice" || section == "Scope") {
    for (const auto parsers : {cgroup_parsers(), cgroup_network_parsers()}) {
      if (const DirectiveParser parser = find_in(parsers, name)) return parser;
    }
  }
  // How a scope is stopped is said, and done, as with a service.
  if (section == "Scope") {
    const DirectiveParser parser = find_in(service_section_parsers(), name);
    return parser != nullptr ? parser : find_in(exec_parsers(), name);
  }
  return nullptr;
}

}  // namespace flotilla::init
