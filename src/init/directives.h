// The one table of all directives that systemd 252 knows, and what this manager does with each. The
// loader is driven by it: an implemented directive has a parser, one that is known and not yet
// implemented is reported and listed, never dropped silently. Constant data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flotilla::init {

struct UnitSettings;
struct SettingContext;

enum class DirectiveStatus : uint8_t {
  kImplemented,  // parsed, and it takes effect
  kShown,        // parsed and shown, without effect; listed in UnitSettings::ignored_directives
  kAccepted,     // has no effect in a running manager by its nature (such as [Install])
  kNotYet,       // known; listed in UnitSettings::ignored_directives
};

// A row of the table. Its texts stand in one array that all rows share, by their places: pointers
// would have to be relocated at each start, in pages that no other process shares.
struct Directive {
  struct Text {
    uint16_t at;
    uint8_t size;
  };

  std::string_view section() const noexcept;
  std::string_view name() const noexcept;
  std::string_view kind() const noexcept;  // of the value, in systemd's words: "BOOLEAN", ...

  Text section_text, name_text, kind_text;
  DirectiveStatus status;
};

// The whole table, sorted by section and name.
const Directive* directives_begin() noexcept;
const Directive* directives_end() noexcept;

// Null: systemd 252 does not know it.
const Directive* find_directive(std::string_view section, std::string_view name) noexcept;
bool is_known_section(std::string_view section) noexcept;

// Reads one value into the settings. An empty value resets a list. What is wrong with a value is
// reported in the context and leaves the setting as it was.
using DirectiveParser = void (*)(UnitSettings& settings, const SettingContext& context,
                                 std::string_view value);

// Null exactly where the table says neither kImplemented nor kShown.
DirectiveParser find_parser(std::string_view section, std::string_view name) noexcept;

}  // namespace flotilla::init
