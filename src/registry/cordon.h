// What may come to a machine: told by a key among its metadata, an edit through the API, so that it
// outlives the machine's absence and shows in lists. Pure.
#pragma once

#include <string_view>

#include "registry/objects.h"

namespace flotilla::registry {

inline constexpr std::string_view kCordonKey = "fleet.cordon";

enum class Cordon : uint8_t {
  kOpen,
  kCordoned,  // "cordon": nothing new comes
  kDraining,  // "drain": and what is there goes, where another machine can take it
};

// What cannot be read is kCordoned: somebody meant to keep units away.
Cordon cordon_of(const Metadata& metadata);

}  // namespace flotilla::registry
