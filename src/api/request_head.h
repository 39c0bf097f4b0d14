// The head of an HTTP request as bytes. Go's server, which fleet's clients and scripts talked to,
// takes a bare line feed for the end of a line; the parser behind us does not. Pure.
#pragma once

#include <string>
#include <string_view>

namespace flotilla::api {

// How many line ends stand before the request: old clients send one too many behind a body.
size_t leading_line_ends(std::string_view bytes);

// The length of the head, its empty line included; 0 while that has not come. `from` is where to
// look on: what was looked through in vain before.
size_t head_length(std::string_view bytes, size_t from = 0);

// The head with CRLF at the end of each line.
std::string with_crlf(std::string_view head);

}  // namespace flotilla::api
