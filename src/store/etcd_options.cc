#include "store/etcd_options.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

namespace flotilla::store {

using base::invalid;
using base::Result;

namespace {

constexpr std::string_view kDefaultPort = "2379";
constexpr size_t kMaxEndpoints = 64;
constexpr size_t kMaxPemBytes = size_t{4} << 20;
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

std::string_view strip(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\"'";
  const size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool is_host(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

bool is_ipv6(std::string_view text) {
  return text.size() > 2 && text.find_first_not_of("0123456789abcdefABCDEF:.%") == text.npos;
}

// "HOST:PORT", a port added where there is none; empty if it is not one.
std::string target_of(std::string_view authority) {
  std::string_view host = authority;
  std::string_view port = kDefaultPort;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos || !is_ipv6(authority.substr(1, end - 1))) return {};
    host = authority.substr(0, end + 1);
    const std::string_view rest = authority.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return {};
    if (!rest.empty()) port = rest.substr(1);
  } else {
    if (const size_t colon = authority.find(':'); colon != std::string_view::npos) {
      host = authority.substr(0, colon);
      port = authority.substr(colon + 1);
    }
    if (!is_host(host)) return {};
  }
  if (!is_port(port)) return {};
  return fmt::format("{}:{}", host, port);
}

Result<EtcdEndpoint> parse_endpoint(std::string_view text) {
  EtcdEndpoint endpoint;
  endpoint.url = text;
  std::string_view rest = text;
  const auto take = [&](std::string_view scheme) {
    if (!rest.starts_with(scheme)) return false;
    rest.remove_prefix(scheme.size());
    return true;
  };
  if (take("unix://")) {
    if (rest.empty()) return invalid("etcd endpoint \"{}\": expected a path after unix://", text);
    endpoint.target = fmt::format("unix:{}", rest);
    return endpoint;
  }
  endpoint.is_tls = take("https://");
  if (!endpoint.is_tls) take("http://");
  if (rest.ends_with('/')) rest.remove_suffix(1);
  endpoint.target = target_of(rest);
  if (endpoint.target.empty()) {
    return invalid("etcd endpoint \"{}\": expected http://HOST:PORT or https://HOST:PORT", text);
  }
  return endpoint;
}

Result<std::string> read_pem(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return base::system_error(errno, "etcd: read {}", path);
  std::ostringstream text;
  text << in.rdbuf();
  if (text.str().size() > kMaxPemBytes) return base::too_large("etcd: {} is too long", path);
  if (text.str().find("-----BEGIN ") == std::string::npos) {
    return invalid("etcd: {} is not in PEM format", path);
  }
  return text.str();
}

}  // namespace

Result<std::vector<EtcdEndpoint>> parse_etcd_endpoints(std::string_view text) {
  std::vector<EtcdEndpoint> endpoints;
  std::string_view rest = strip(text);
  // Brackets around the list; those of an IPv6 address are never followed by the end of the text
  // without a scheme or a port.
  if (rest.starts_with('[') && rest.ends_with(']') && !is_ipv6(rest.substr(1, rest.size() - 2))) {
    rest = rest.substr(1, rest.size() - 2);
  }
  for (;;) {
    const size_t comma = rest.find(',');
    if (const std::string_view item = strip(rest.substr(0, comma)); !item.empty()) {
      FLOTILLA_ASSIGN(EtcdEndpoint endpoint, parse_endpoint(item));
      if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
        endpoints.push_back(std::move(endpoint));
      }
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (endpoints.empty()) return invalid("etcd: expected a URL, got \"{}\"", text);
  if (endpoints.size() > kMaxEndpoints) {
    return base::too_large("etcd: {} endpoints: at most {} are allowed", endpoints.size(),
                           kMaxEndpoints);
  }
  return endpoints;
}

Result<EtcdOptions> make_etcd_options(std::string_view endpoints, const EtcdSettings& settings) {
  EtcdOptions options;
  FLOTILLA_ASSIGN(options.endpoints, parse_etcd_endpoints(endpoints));
  if (settings.cert_file.empty() != settings.key_file.empty()) {
    return invalid("etcd: a client certificate needs both its file and its key's");
  }
  if (settings.username.empty() && !settings.password.empty()) {
    return invalid("etcd: a password needs a user name");
  }
  options.username = settings.username;
  options.password = settings.password;
  if (settings.request_timeout.count() > 0) options.request_timeout = settings.request_timeout;
  const bool is_tls = std::any_of(options.endpoints.begin(), options.endpoints.end(),
                                  [](const EtcdEndpoint& endpoint) { return endpoint.is_tls; });
  if (!is_tls) return options;
  FLOTILLA_ASSIGN(options.ca_pem,
                  read_pem(settings.ca_file.empty() ? kSystemAuthorities : settings.ca_file));
  if (!settings.cert_file.empty()) {
    FLOTILLA_ASSIGN(options.cert_pem, read_pem(settings.cert_file));
    FLOTILLA_ASSIGN(options.key_pem, read_pem(settings.key_file));
  }
  return options;
}

}  // namespace flotilla::store
