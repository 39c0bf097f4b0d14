// The patterns of Conflicts= and Replaces=, as Go's path.Match has them: "*" is any run without
// "/",
// "?" one character but "/", "[a-z]" and "[^a-z]" classes, "\" takes the meaning from the next
// character. The whole name must match. A malformed pattern matches nothing. Pure; its time is
// bounded by the product of both lengths.
#pragma once

#include <string_view>

namespace flotilla::unit {

bool glob_matches(std::string_view pattern, std::string_view name);

}  // namespace flotilla::unit
