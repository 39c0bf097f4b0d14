// "%" specifiers in the values of settings: "%n" the unit's name, "%t" the run-time directory and
// so on, the whole table of man systemd.unit. Pure: what the host and the manager are is given.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "unit/unit_name.h"

namespace flotilla::unit {

// What specifiers say about the manager and its machine; one per manager. A value that is not known
// makes its specifier an error, not an empty text.
struct HostValues {
  std::optional<std::string> architecture;               // %a
  std::optional<std::string> image_version;              // %A
  std::optional<std::string> boot_id;                    // %b, 32 hexadecimal digits
  std::optional<std::string> build_id;                   // %B
  std::optional<std::string> cache_directory;            // %C
  std::optional<std::string> configuration_directory;    // %E
  std::optional<std::string> group;                      // %g
  std::optional<std::string> gid;                        // %G
  std::optional<std::string> home;                       // %h
  std::optional<std::string> host_name;                  // %H, and %l up to its first dot
  std::optional<std::string> log_directory;              // %L
  std::optional<std::string> machine_id;                 // %m
  std::optional<std::string> image_id;                   // %M
  std::optional<std::string> os_id;                      // %o
  std::optional<std::string> pretty_host_name;           // %q
  std::optional<std::string> shell;                      // %s
  std::optional<std::string> state_directory;            // %S
  std::optional<std::string> runtime_directory;          // %t
  std::optional<std::string> temporary_directory;        // %T
  std::optional<std::string> user;                       // %u
  std::optional<std::string> uid;                        // %U
  std::optional<std::string> kernel_release;             // %v
  std::optional<std::string> large_temporary_directory;  // %V
  std::optional<std::string> version_id;                 // %w
  std::optional<std::string> variant_id;                 // %W

  // The directories and the user of a system manager, and what os-release gives where it says
  // nothing; the values of the machine (%a %b %H %m %o %v) are left for the caller.
  static HostValues of_system_manager();
};

struct SpecifierContext {
  UnitName name;
  const HostValues* host = nullptr;   // outlives the context; without it only names are known
  std::string fragment_path;          // %y, and its directory %Y; empty: none, then both are errors
  std::string credentials_directory;  // %d; empty: none, then it is an error
};

inline constexpr std::size_t kMaxExpandedLength = 1024UL * 1024;

// "%%" is "%". A "%" before anything but a letter or digit stays, and so does one at the end.
// Errors: kInvalid for a letter that is no specifier or has no value here; kTooLarge.
base::Result<std::string> expand_specifiers(std::string_view text, const SpecifierContext& context,
                                            std::size_t max_length = kMaxExpandedLength);

}  // namespace flotilla::unit
