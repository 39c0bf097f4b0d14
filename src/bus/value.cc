#include "bus/value.h"

#include <limits>

namespace flotilla::bus {

uint64_t Value::as_unsigned(uint64_t fallback) const {
  if (const uint64_t* number = std::get_if<uint64_t>(&data)) return *number;
  const int64_t* number = std::get_if<int64_t>(&data);
  return number != nullptr && *number >= 0 ? static_cast<uint64_t>(*number) : fallback;
}

int64_t Value::as_signed(int64_t fallback) const {
  if (const int64_t* number = std::get_if<int64_t>(&data)) return *number;
  const uint64_t* number = std::get_if<uint64_t>(&data);
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return number != nullptr && *number <= kMost ? static_cast<int64_t>(*number) : fallback;
}

const Value* find_property(const Properties& properties, std::string_view name) {
  auto found = properties.find(name);
  return found == properties.end() ? nullptr : &found->second;
}

std::string_view string_property(const Properties& properties, std::string_view name) {
  const Value* value = find_property(properties, name);
  const std::string* text = value != nullptr ? value->as_string() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

uint64_t unsigned_property(const Properties& properties, std::string_view name, uint64_t fallback) {
  const Value* value = find_property(properties, name);
  return value != nullptr ? value->as_unsigned(fallback) : fallback;
}

}  // namespace flotilla::bus
