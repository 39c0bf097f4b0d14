// Short tables of names and the values they stand for, read from both sides.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flotilla::base {

template <typename Value, size_t N>
using NameTable = std::array<std::pair<std::string_view, Value>, N>;

template <typename Value, size_t N>
std::optional<Value> find_by_name(const NameTable<Value, N>& table, std::string_view text) {
  for (const auto& [name, value] : table) {
    if (name == text) return value;
  }
  return std::nullopt;
}

// The first name of the value; empty if it has none.
template <typename Value, size_t N>
std::string_view find_name(const NameTable<Value, N>& table, Value wanted) {
  for (const auto& [name, value] : table) {
    if (value == wanted) return name;
  }
  return {};
}

// The names of the bits that are set, in the order of the table, with blanks between.
template <typename Value, size_t N>
std::string names_of_bits(const NameTable<Value, N>& table, uint64_t bits) {
  std::string words;
  for (const auto& [name, bit] : table) {
    if ((bits & static_cast<uint64_t>(bit)) != 0)
      words.append(words.empty() ? "" : " ").append(name);
  }
  return words;
}

}  // namespace flotilla::base
