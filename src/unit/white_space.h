// Unicode's White_Space, which is what fleet's reader trims and splits at. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace flotilla::unit {

// The length of the white space character the text begins with, or 0. Invalid UTF-8 is none.
std::size_t leading_space(std::string_view text) noexcept;

std::string_view trim_unicode(std::string_view text) noexcept;

}  // namespace flotilla::unit
