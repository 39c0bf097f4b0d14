// A value as JSON and YAML have it, and how it is written as either. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace flotilla::fctl {

struct Document {
  using List = std::vector<Document>;
  using Fields = std::vector<std::pair<std::string, Document>>;  // in the order they are written

  Document(std::string text) : value(std::move(text)) {}  // NOLINT: reads like a literal
  Document(uint64_t number) : value(number) {}            // NOLINT
  Document(List list) : value(std::move(list)) {}         // NOLINT
  Document(Fields fields) : value(std::move(fields)) {}   // NOLINT

  std::variant<std::string, uint64_t, List, Fields> value;
};

// Adds a field unless its text is empty, as the API leaves those out.
void add_field(Document::Fields& fields, const std::string& name, const std::string& text);

// Indented by two blanks, with a line end behind it.
std::string to_json(const Document& document);
std::string to_yaml(const Document& document);

}  // namespace flotilla::fctl
