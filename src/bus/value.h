// Value: one D-Bus value of any type, as plain data, for properties whose set is not known when we
// compile (GetAll). Where the type is known, message.h reads straight into it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace flotilla::bus {

struct Value {
  std::string signature;  // the D-Bus type, "s", "as", "a(sasbttttuii)" ...; a variant is unwrapped
  // y q u t -> uint64_t; n i x h -> int64_t; s o g -> string; arrays, structs and dict entries ->
  // their members in order.
  std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<Value>> data = false;

  // The value if it is of that kind, else null or the given fallback; numbers convert if they fit.
  const std::string* as_string() const { return std::get_if<std::string>(&data); }
  const std::vector<Value>* as_list() const { return std::get_if<std::vector<Value>>(&data); }
  bool as_bool(bool fallback) const {
    const bool* b = std::get_if<bool>(&data);
    return b != nullptr ? *b : fallback;
  }
  uint64_t as_unsigned(uint64_t fallback) const;
  int64_t as_signed(int64_t fallback) const;

  friend bool operator==(const Value&, const Value&) = default;
};

// Property name -> value.
using Properties = std::map<std::string, Value, std::less<>>;

// The named property, or null.
const Value* find_property(const Properties& properties, std::string_view name);
// The named property's text, or "" if it is absent or no string.
std::string_view string_property(const Properties& properties, std::string_view name);
// The named property's number, or the fallback.
uint64_t unsigned_property(const Properties& properties, std::string_view name, uint64_t fallback);

}  // namespace flotilla::bus
