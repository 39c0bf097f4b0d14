#include "fctl/document.h"

#include <fmt/format.h>

#include <cctype>
#include <string_view>

namespace flotilla::fctl {
namespace {

// A JSON string, which is also a YAML one.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\u{:04x}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

void write_json(const Document& document, const std::string& indent, std::string& text) {
  const std::string deeper = indent + "  ";
  if (const auto* list = std::get_if<Document::List>(&document.value)) {
    if (list->empty()) {
      text += "[]";
      return;
    }
    text += "[\n";
    for (size_t i = 0; i < list->size(); ++i) {
      text += deeper;
      write_json((*list)[i], deeper, text);
      text += i + 1 < list->size() ? ",\n" : "\n";
    }
    text += indent + "]";
  } else if (const auto* fields = std::get_if<Document::Fields>(&document.value)) {
    if (fields->empty()) {
      text += "{}";
      return;
    }
    text += "{\n";
    for (size_t i = 0; i < fields->size(); ++i) {
      text += deeper + quoted((*fields)[i].first) + ": ";
      write_json((*fields)[i].second, deeper, text);
      text += i + 1 < fields->size() ? ",\n" : "\n";
    }
    text += indent + "}";
  } else if (const auto* number = std::get_if<uint64_t>(&document.value)) {
    text += std::to_string(*number);
  } else {
    text += quoted(std::get<std::string>(document.value));
  }
}

// Only what no reader of YAML takes for something else stands without quotes: letters first, then
// what is in names, and none of the words that are a boolean or null somewhere.
std::string yaml_text(std::string_view text) {
  bool plain = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0;
  for (const char c : text) {
    const bool harmless = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                          std::string_view("._-@/").find(c) != std::string_view::npos;
    plain = plain && harmless;
  }
  for (const std::string_view word :
       {"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"}) {
    if (word.size() != text.size()) continue;
    bool same = true;
    for (size_t i = 0; i < word.size(); ++i) {
      same = same && std::tolower(static_cast<unsigned char>(text[i])) == word[i];
    }
    plain = plain && !same;
  }
  return plain ? std::string(text) : quoted(text);
}

bool is_nested(const Document& document) {
  if (const auto* list = std::get_if<Document::List>(&document.value)) return !list->empty();
  if (const auto* fields = std::get_if<Document::Fields>(&document.value)) return !fields->empty();
  return false;
}

// `first` stands before the first line, where `indent` stands before the others.
void write_yaml(const Document& document, const std::string& first, const std::string& indent,
                std::string& text) {
  if (!is_nested(document)) {
    text += first;
    if (const auto* word = std::get_if<std::string>(&document.value)) {
      text += yaml_text(*word);
    } else if (const auto* number = std::get_if<uint64_t>(&document.value)) {
      text += std::to_string(*number);
    } else {
      text += std::holds_alternative<Document::List>(document.value) ? "[]" : "{}";
    }
    text += "\n";
  } else if (const auto* list = std::get_if<Document::List>(&document.value)) {
    for (size_t i = 0; i < list->size(); ++i) {
      write_yaml((*list)[i], (i == 0 ? first : indent) + "- ", indent + "  ", text);
    }
  } else {
    std::string start = first;
    for (const auto& [name, value] : std::get<Document::Fields>(document.value)) {
      if (is_nested(value)) {
        text += start + yaml_text(name) + ":\n";
        write_yaml(value, indent + "  ", indent + "  ", text);
      } else {
        write_yaml(value, start + yaml_text(name) + ": ", indent, text);
      }
      start = indent;
    }
  }
}

}  // namespace

void add_field(Document::Fields& fields, const std::string& name, const std::string& text) {
  if (!text.empty()) fields.emplace_back(name, Document(text));
}

std::string to_json(const Document& document) {
  std::string text;
  write_json(document, "", text);
  return text + "\n";
}

std::string to_yaml(const Document& document) {
  std::string text;
  write_yaml(document, "", "", text);
  return text;
}

}  // namespace flotilla::fctl
