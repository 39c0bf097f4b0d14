// PlainJson: reads JSON of the form in which this project writes its records: no blanks, ASCII, the
// short escapes alone, no number but a whole one that is not negative. Many times faster than
// a tree of values, and of use where a view of a large cluster is read. What is not of that form
// may be good JSON nonetheless: whoever is refused here reads it with a whole parser.
//
// Each function takes what it is named for off the front; false: it is not there, and the place is
// not to be read on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flotilla::registry {

class PlainJson {
 public:
  explicit PlainJson(std::string_view text) : left_(text) {}

  bool at_end() const { return left_.empty(); }
  bool take(std::string_view text);
  bool take(char c);
  // A string in its quotes.
  bool text(std::string& text);
  bool skip_text();
  // A string without escapes, which points into what is read.
  bool word(std::string_view& word);
  bool number(uint64_t& number);
  bool boolean(bool& boolean);

  // Reads an object to the end of the text: `member` takes the value that belongs to a name, and
  // says whether it could.
  template <typename Member>
  bool whole_object(const Member& member) {
    if (!take('{')) return false;
    do {
      std::string_view name;
      if (!word(name) || !take(':') || !member(name)) return false;
    } while (take(','));
    return take('}') && at_end();
  }

 private:
  std::string_view left_;
};

}  // namespace flotilla::registry
