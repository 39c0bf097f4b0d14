#include "api/json_text.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "unit/utf8.h"

namespace flotilla::api {
void JsonText::separate() {
  if (out_.empty()) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

JsonText& JsonText::open(char bracket) {
  separate();
  out_ += bracket;
  return *this;
}

JsonText& JsonText::close(char bracket) {
  out_ += bracket;
  return *this;
}

JsonText& JsonText::key(std::string_view name) {
  separate();
  append_quoted(name);
  out_ += ':';
  return *this;
}

JsonText& JsonText::text(std::string_view value) {
  separate();
  append_quoted(value);
  return *this;
}

JsonText& JsonText::number(int64_t value) {
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

JsonText& JsonText::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

JsonText& JsonText::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonText& JsonText::field(std::string_view name, std::string_view value) {
  return value.empty() ? *this : key(name).text(value);
}

namespace {

constexpr std::array<bool, 256> plain_characters() {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x7f; ++c) plain[c] = true;
  for (const char c : std::string_view("\"\\<>&")) plain[static_cast<unsigned char>(c)] = false;
  return plain;
}

// What stands in JSON as it is. Nearly every text is made of these alone.
constexpr std::array<bool, 256> kPlain = plain_characters();

}  // namespace

void JsonText::append_quoted(std::string_view value) {
  out_ += '"';
  for (;;) {
    size_t run = 0;
    while (run < value.size() && kPlain[static_cast<unsigned char>(value[run])]) ++run;
    out_.append(value.data(), run);
    value.remove_prefix(run);
    if (value.empty()) break;
    const char c = value[0];
    const size_t length = unit::utf8_sequence_length(value);
    if (length == 0) {
      out_ += "\\ufffd";
      value.remove_prefix(1);
      continue;
    }
    const std::string_view character = value.substr(0, length);
    value.remove_prefix(length);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c == '\r') {
      out_ += "\\r";
    } else if (c == '\t') {
      out_ += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
      fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
    } else if (character == "\xE2\x80\xA8") {
      out_ += "\\u2028";
    } else if (character == "\xE2\x80\xA9") {
      out_ += "\\u2029";
    } else {
      out_ += character;
    }
  }
  out_ += '"';
}

}  // namespace flotilla::api
