// What one value of MachineMetadata= asks of a machine: "region=us", "ram>=16G", "kernel>=4.19",
// "az!=a". Pure.
//
//   = ==       the same text
//   !=         another text; the machine must have the key
//   < <= > >=  both integers: as integers; both sizes ("16G", one may be plain): as bytes; both
//              versions ("1.2.3", one may be a plain number): part by part, what is missing is 0;
//              anything else never holds
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::unit {

struct MetadataRule {
  enum class Op : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
  Op op = Op::kEqual;
  std::string value;

  bool operator==(const MetadataRule&) const = default;
  bool holds_for(std::string_view machine_value) const;
};

std::string_view to_string(MetadataRule::Op op);  // "=" for kEqual

struct MetadataTerm {
  std::string key;
  MetadataRule rule;
};

// Blanks around the operator do not matter. Nothing for what never meant anything to fleet either:
// no operator, "a=b=c", an empty side of "=". Errors: kInvalid, with the text, for an operator that
// cannot be meant so: "ram>=", "ram>=lots", "ram=>16", "16<=ram<=64"; `option` is what it stands
// in.
base::Result<std::optional<MetadataTerm>> parse_metadata_term(
    std::string_view text, std::string_view option = "MachineMetadata");

}  // namespace flotilla::unit
