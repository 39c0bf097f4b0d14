// Reads JSON as Go's decoder does, texts of errors included: bytes that are no UTF-8 and halves of
// surrogate pairs become U+FFFD, what follows the first value is passed over. A cursor over the
// text: no tree is built, so that a request costs no more memory than its bytes. Pure; bytes come
// from anybody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::api {

class GoJson {
 public:
  enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  // At the first value of the text. Errors: kInvalid with Go's text ("EOF" where there is none) if
  // it is not whole and well formed, at any depth up to 10,000.
  static base::Result<GoJson> begin(std::string_view text);

  Kind kind() const;
  // Go's word for it in its messages: "array", "object", "string", "bool", "number", "null".
  std::string_view kind_name() const;

  // Each moves behind the value. Requires: text() is called on a string.
  std::string text();
  void skip();

  // Calls `member(key)` for each member, with the cursor at its value, which it has to move behind;
  // ends at the first error. Requires: kind() is kObject.
  template <typename Member>
  base::Status each_member(const Member& member) {
    for (enter(); !leave('}');) {
      const std::string key = text();
      pass(':');
      FLOTILLA_TRY(member(key));
      pass(',');
    }
    return {};
  }
  // As each_member(), for the items of an array.
  template <typename Item>
  base::Status each_item(const Item& item) {
    for (enter(); !leave(']');) {
      FLOTILLA_TRY(item());
      pass(',');
    }
    return {};
  }

 private:
  explicit GoJson(std::string_view text) : rest_(text) {}
  void enter();
  bool leave(char bracket);
  void pass(char separator);
  void skip_blanks();

  std::string_view rest_;  // well formed; begins with the value, or what comes after one
};

// Whether the name in the text means this field: in any case, as Go has it ("\u017f" is an "s", and
// the sign of Kelvin a "k").
bool is_field(std::string_view key, std::string_view field);

}  // namespace flotilla::api
