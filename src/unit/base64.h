// Base64 as settings carry it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flotilla::unit {

// The bytes that the text stands for; blanks in it are skipped. Nothing where it is not base64, its
// padding included.
std::optional<std::string> decode_base64(std::string_view text);

// With padding, in one line.
std::string encode_base64(std::string_view bytes);

}  // namespace flotilla::unit
