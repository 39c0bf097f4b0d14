#include "api/request_head.h"

#include <algorithm>

namespace flotilla::api {

size_t leading_line_ends(std::string_view bytes) {
  return std::min(bytes.find_first_not_of("\r\n"), bytes.size());
}

size_t head_length(std::string_view bytes, size_t from) {
  // An end of line may have come in two pieces.
  from = from < 2 ? 0 : from - 2;
  for (size_t at = bytes.find('\n', from); at != std::string_view::npos;
       at = bytes.find('\n', at + 1)) {
    const std::string_view rest = bytes.substr(at + 1, 2);
    if (rest.substr(0, 1) == "\n") return at + 2;
    if (rest == "\r\n") return at + 3;
  }
  return 0;
}

std::string with_crlf(std::string_view head) {
  std::string lines;
  lines.reserve(head.size() + 32);
  for (size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) lines += '\r';
    lines += head[i];
  }
  return lines;
}

}  // namespace flotilla::api
