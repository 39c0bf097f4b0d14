// Introspection XML of the façade's objects, made from their tables. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "init/bus_table.h"

namespace flotilla::init {

// An object with these interfaces and these children (names relative to it). No interfaces: a node
// on the way to objects.
std::string introspect(const std::vector<const BusInterface*>& interfaces,
                       const std::vector<std::string>& children);

// "a{sv}as" -> "a{sv}", "as": the single complete types of a signature. Stops at what is none.
std::vector<std::string> split_signature(std::string_view signature);

}  // namespace flotilla::init
