// How the value of each kind of property is written in a unit file. For property_text.cc alone,
// which takes care of types; apart, because there are many.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/value.h"

namespace flotilla::init {

struct PropertyForm {
  std::string_view signature;
  // The lines' values, each behind "NAME="; nothing where the value is out of range.
  std::optional<std::vector<std::string>> (*write)(const bus::Value& value);
  std::string_view directive;  // where it is not the property's own name
};

// Null for a property that is written in the plain way: a text, a number, a flag, words.
const PropertyForm* find_property_form(std::string_view name);

}  // namespace flotilla::init
