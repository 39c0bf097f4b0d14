// Texts as they stand in a unit file, so that reading it gives them back. Pure.
#pragma once

#include <string>
#include <string_view>

namespace flotilla::init {

// In double quotes, so that it comes back as one word; "%" stays "%".
std::string quote_for_file(std::string_view word);
std::string escape_specifiers(std::string_view text);

}  // namespace flotilla::init
