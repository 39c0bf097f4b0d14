// fleet's own reader of unit files, its serialiser and its hash. It differs from systemd's grammar
// on purpose: the bytes that come out are what is stored, written to disk, shown by `cat`, and
// hashed, and two units are the same if their hashes are. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::unit {

// Not a byte more may stand between two line ends.
inline constexpr std::size_t kMaxFleetLine = 2047;
inline constexpr std::size_t kMaxFleetOptions = 65'536;

struct UnitOption {
  std::string section;
  std::string name;
  std::string value;  // continuation lines, their backslashes and indentation are kept

  bool operator==(const UnitOption&) const = default;
};

// Errors: kInvalid with fleet's text; kTooLarge for too many options. No section at all gives no
// options and no error.
base::Result<std::vector<UnitOption>> parse_fleet_file(std::string_view bytes);

// Sections in the order they first appear, each with all of its options below one header.
std::string serialize(const std::vector<UnitOption>& options);

// SHA-1 of the serialised bytes, as 40 lower-case hexadecimal digits.
std::string hash_hex(const std::vector<UnitOption>& options);

}  // namespace flotilla::unit
