// What the fleet API's JSON says. Members that are absent or of another type are left empty.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/schema.h"

namespace flotilla::client {

std::string text_of(const boost::json::object& object, std::string_view key);
// Google's format has 64-bit numbers as strings: those are taken, too.
uint64_t number_of(const boost::json::object& object, std::string_view key);

// Errors: kInternal for a body that is no object.
base::Result<boost::json::object> parse_object(const std::string& body);

// Calls `each` with every object of the array `key`; anything else there is passed over.
template <typename Each>
void for_each_object(const boost::json::object& page, std::string_view key, Each each) {
  const boost::json::value* list =
      page.if_contains(boost::json::string_view(key.data(), key.size()));
  if (list == nullptr || !list->is_array()) return;
  for (const boost::json::value& item : list->get_array()) {
    if (item.is_object()) each(item.get_object());
  }
}

Unit unit_of(const boost::json::object& object);
UnitState state_of(const boost::json::object& object);
Machine machine_of(const boost::json::object& object);

boost::json::array options_of(const Unit& unit);

}  // namespace flotilla::client
