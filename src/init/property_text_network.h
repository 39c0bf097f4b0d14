// How the values of properties that hold addresses and ports are written in a unit file. Pure;
// nothing where a value is out of range.
#pragma once

#include <optional>

#include "init/property_text_members.h"

namespace flotilla::init {

// (iayu) each: address family, the bytes of an address, and how many bits of it count. The list
// stands for itself: what was there goes first.
std::optional<WrittenLines> write_ip_prefixes(const bus::Value& value);
// (iiqq) each: address family, protocol, number of ports, the first of them.
std::optional<WrittenLines> write_bind_rules(const bus::Value& value);

}  // namespace flotilla::init
