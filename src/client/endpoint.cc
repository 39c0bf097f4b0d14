#include "client/endpoint.h"

#include <algorithm>

namespace flotilla::client {

base::Result<Endpoint> parse_endpoint(std::string_view text) {
  const size_t separator = text.find("://");
  const std::string_view scheme =
      separator == std::string_view::npos ? std::string_view() : text.substr(0, separator);
  if (scheme.empty()) return base::invalid("URL scheme undefined");
  const std::string_view rest = text.substr(separator + 3);

  Endpoint endpoint;
  if (scheme == "unix" || scheme == "file") {
    const size_t slash = rest.find('/');
    const std::string_view host = rest.substr(0, slash);
    if (!host.empty()) {
      return base::invalid("unable to connect to host \"{}\" with scheme \"{}\"", host, scheme);
    }
    if (slash == std::string_view::npos || rest.size() < 2) {
      return base::invalid("no path of a socket in endpoint \"{}\"; write unix:///path", text);
    }
    endpoint.path = rest;
    return endpoint;
  }
  if (scheme != "http" && scheme != "https") {
    return base::invalid("endpoint \"{}\": unknown scheme \"{}\"; use unix://, http:// or https://",
                         text, scheme);
  }
  endpoint.is_tls = scheme == "https";
  const std::string_view default_port = endpoint.is_tls ? "443" : "80";
  endpoint.kind = Endpoint::Kind::kTcp;
  std::string_view authority = rest.substr(0, rest.find('/'));
  if (!authority.empty() && authority.front() == '[') {  // an IPv6 address (RFC 3986, 3.2.2)
    const size_t end = authority.find(']');
    if (end == std::string_view::npos)
      return base::invalid("endpoint \"{}\": \"]\" is missing", text);
    endpoint.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    endpoint.port = authority.empty() ? default_port : authority.substr(1);
  } else {
    const size_t colon = authority.find(':');
    endpoint.host = authority.substr(0, colon);
    endpoint.port = colon == std::string_view::npos ? default_port : authority.substr(colon + 1);
  }
  if (endpoint.host.empty()) return base::invalid("endpoint \"{}\" names no host", text);
  const bool digits = endpoint.port.find_first_not_of("0123456789") == std::string::npos;
  if (endpoint.port.empty() || endpoint.port.size() > 5 || !digits ||
      std::stoi(endpoint.port) > 65535) {
    return base::invalid("endpoint \"{}\": \"{}\" is no port", text, endpoint.port);
  }
  return endpoint;
}

base::Result<std::vector<Endpoint>> parse_endpoints(std::string_view text) {
  std::vector<Endpoint> endpoints;
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (!one.empty()) {
      FLOTILLA_ASSIGN(Endpoint endpoint, parse_endpoint(one));
      endpoints.push_back(std::move(endpoint));
    }
    if (comma == text.size()) break;
    text.remove_prefix(comma + 1);
  }
  if (endpoints.empty()) return base::invalid("URL scheme undefined");
  return endpoints;
}

std::string describe(const Endpoint& endpoint) {
  switch (endpoint.kind) {
    case Endpoint::Kind::kUnix:
      return "unix://" + endpoint.path;
    case Endpoint::Kind::kTcp:
      return (endpoint.is_tls ? "https://" : "http://") + endpoint.host + ":" + endpoint.port;
    case Endpoint::Kind::kCommand:
      return endpoint.shown;
  }
  return {};
}

}  // namespace flotilla::client
