#include "api/page_token.h"

namespace flotilla::api {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// As Go's decoder: the error names the first byte that cannot be, line ends are passed over.
base::Result<std::string> decode_base64(std::string_view text) {
  const auto illegal = [](size_t at) {
    return base::invalid("illegal base64 data at input byte {}", at);
  };
  std::string bytes;
  uint32_t quantum = 0;
  int digits = 0;
  size_t i = 0;
  for (; i < text.size() && text[i] != '='; ++i) {
    if (text[i] == '\r' || text[i] == '\n') continue;
    const size_t value = kAlphabet.find(text[i]);
    if (value == std::string_view::npos) return illegal(i);
    quantum = quantum << 6U | static_cast<uint32_t>(value);
    if (++digits == 4) {
      for (const unsigned shift : {16U, 8U, 0U})
        bytes += static_cast<char>(quantum >> shift & 0xFFU);
      quantum = 0;
      digits = 0;
    }
  }
  if (i == text.size()) {
    if (digits != 0) return illegal(i - static_cast<size_t>(digits));
    return bytes;
  }
  // Padding: two digits need "==", three need "=".
  const size_t padding = text.size() - i;
  if (digits < 2) return illegal(i);
  if (padding != static_cast<size_t>(4 - digits))
    return illegal(padding < static_cast<size_t>(4 - digits) ? text.size()
                                                             : i + static_cast<size_t>(4 - digits));
  if (text.find_first_not_of('=', i) != std::string_view::npos) return illegal(i + 1);
  bytes += static_cast<char>(quantum >> (digits == 2 ? 4U : 10U) & 0xFFU);
  if (digits == 3) bytes += static_cast<char>(quantum >> 2U & 0xFFU);
  return bytes;
}

uint16_t little_endian(const std::string& bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) |
                               static_cast<unsigned char>(bytes[at + 1]) << 8U);
}

}  // namespace

std::string encode(const PageToken& token) {
  const uint32_t bytes[4] = {token.limit & 0xFFU, static_cast<uint32_t>(token.limit) >> 8U,
                             token.page & 0xFFU, static_cast<uint32_t>(token.page) >> 8U};
  const uint32_t first = bytes[0] << 16U | bytes[1] << 8U | bytes[2];
  std::string text;
  for (const unsigned shift : {18U, 12U, 6U, 0U}) text += kAlphabet[first >> shift & 63U];
  text += kAlphabet[bytes[3] >> 2U];
  text += kAlphabet[(bytes[3] & 3U) << 4U];
  return text + "==";
}

base::Result<PageToken> page_token_of(const std::vector<std::string_view>& values, uint16_t limit) {
  if (values.empty()) return PageToken{limit, 1};
  if (values.size() > 1) return base::invalid("too many values for page token");
  FLOTILLA_ASSIGN(const std::string bytes, decode_base64(values[0]));
  if (bytes.empty()) return base::invalid("EOF");
  if (bytes.size() < 4) return base::invalid("unexpected EOF");
  const PageToken token{little_endian(bytes, 0), little_endian(bytes, 2)};
  if (token.limit != limit) return base::invalid("token limit must be {}", limit);
  if (token.page == 0) return base::invalid("token page must be greater than zero");
  return token;
}

}  // namespace flotilla::api
