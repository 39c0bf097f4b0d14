// Access to the members of a property's value, for those who write it as lines of a unit file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bus/value.h"

namespace flotilla::init {

// The lines' values, each behind "NAME=".
using WrittenLines = std::vector<std::string>;

// Of an array or a structure; none of what is neither.
inline const std::vector<bus::Value>& members_of(const bus::Value& value) {
  static const std::vector<bus::Value> kNone;
  const auto* list = value.as_list();
  return list == nullptr ? kNone : *list;
}
// Empty, false and 0 where there is no member of this kind.
inline std::string text_at(const bus::Value& value, size_t index) {
  const auto& members = members_of(value);
  const std::string* text = index < members.size() ? members[index].as_string() : nullptr;
  return text == nullptr ? std::string() : *text;
}
inline bool flag_at(const bus::Value& value, size_t index) {
  const auto& members = members_of(value);
  return index < members.size() && members[index].as_bool(false);
}
inline uint64_t number_at(const bus::Value& value, size_t index) {
  const auto& members = members_of(value);
  return index < members.size() ? members[index].as_unsigned(0) : 0;
}

inline std::string bytes_of(const bus::Value& value) {
  std::string bytes;
  for (const bus::Value& byte : members_of(value)) bytes += static_cast<char>(byte.as_unsigned(0));
  return bytes;
}

// An empty list takes back what was there.
inline WrittenLines or_reset(WrittenLines lines) {
  if (lines.empty()) lines.emplace_back();
  return lines;
}

}  // namespace flotilla::init
