// Writes JSON as Go's encoder does, which users' tools compare byte for byte: compact, "<", ">" and
// "&" and U+2028/9 escaped, invalid UTF-8 as U+FFFD. Appends to one string; no tree is built.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flotilla::api {

// Requires: calls nest as JSON does; inside an object each value follows a key().
class JsonText {
 public:
  JsonText& begin_object() { return open('{'); }
  JsonText& end_object() { return close('}'); }
  JsonText& begin_array() { return open('['); }
  JsonText& end_array() { return close(']'); }
  JsonText& key(std::string_view name);
  JsonText& text(std::string_view value);
  JsonText& number(int64_t value);
  JsonText& boolean(bool value);
  // A value that is JSON already.
  JsonText& raw(std::string_view json);
  // key() and text(), left out if the text is empty.
  JsonText& field(std::string_view name, std::string_view value);

  std::string str() && { return std::move(out_); }

 private:
  JsonText& open(char bracket);
  JsonText& close(char bracket);
  void separate();
  void append_quoted(std::string_view value);

  std::string out_;
};

}  // namespace flotilla::api
