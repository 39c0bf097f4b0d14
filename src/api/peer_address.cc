#include "api/peer_address.h"

#include <charconv>

namespace flotilla::api {

base::Result<PeerAddress> parse_peer_address(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return base::invalid(
        "expected http://HOST:PORT or https://HOST:PORT of this machine's API, got \"{}\": {}",
        text, why);
  };
  PeerAddress address;
  std::string_view rest = text;
  if (rest.substr(0, 7) == "http://") {
    rest.remove_prefix(7);
  } else if (rest.substr(0, 8) == "https://") {
    rest.remove_prefix(8);
    address.is_tls = true;
  }
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad("the port is missing");
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (has_brackets) host = host.substr(1, host.size() - 2);
  if (host.empty()) return bad("the host is missing");
  constexpr std::string_view kHostLetters =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_";
  if (host.find_first_not_of(has_brackets ? "0123456789abcdefABCDEF:." : kHostLetters) !=
      std::string_view::npos) {
    return bad("that is no host");
  }
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 1 || number > 65535) {
    return bad("the port must be a number from 1 to 65535");
  }
  address.host = host;
  address.port = port;
  return address;
}

std::string to_string(const PeerAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", address.is_tls ? "https" : "http", is_v6 ? "[" : "",
                     address.host, is_v6 ? "]" : "", address.port);
}

}  // namespace flotilla::api
