#include "cmd/fleetd/config_api.h"

#include "api/listener.h"
#include "api/peer_address.h"
#include "cmd/fleetd/identity.h"

namespace flotilla::fleetd {
namespace {

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view name = text.substr(0, comma);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

// Where others reach a TLS listener; nothing where that cannot be told.
std::string announced(const api::ListenAddress& address, const Config& config) {
  api::PeerAddress peer{address.host, address.port, true};
  const bool is_any = peer.host == "0.0.0.0" || peer.host == "::";
  if (is_any) peer.host = config.public_ip.empty() ? default_public_ip() : config.public_ip;
  const bool is_loopback = peer.host.starts_with("127.") || peer.host == "::1";
  const bool is_found = !peer.host.empty() && !is_loopback && peer.host != "localhost";
  return is_found && peer.port != "0" ? to_string(peer) : std::string();
}

}  // namespace

base::Status apply_api_option(Config& config, std::string_view where, std::string_view key,
                              std::string_view value) {
  if (key == "api_cafile") {
    config.api_tls.ca_file = value;
  } else if (key == "api_certfile") {
    config.api_tls.cert_file = value;
  } else if (key == "api_keyfile") {
    config.api_tls.key_file = value;
  } else if (key == "api_admins") {
    config.api_admins = split_names(value);
  } else if (key == "api_address") {
    config.api_address.clear();
    if (value.empty()) return {};
    auto address = api::parse_peer_address(value);
    if (!address) return base::in_context(std::move(address).error(), "{}: api_address=", where);
    config.api_address = to_string(*address);
  } else {
    config.warnings.push_back(fmt::format("{}: {}=: no such option; ignored", where, key));
  }
  return {};
}

base::Status check_api_options(Config& config,
                               const std::function<std::string(const std::string& key)>& where_of) {
  const tls::Files& files = config.api_tls;
  const std::pair<const char*, const std::string*> all[] = {{"api_cafile", &files.ca_file},
                                                            {"api_certfile", &files.cert_file},
                                                            {"api_keyfile", &files.key_file}};
  std::string given;
  std::string missing;
  for (const auto& [key, path] : all) (path->empty() ? missing : given) = key;
  if (!given.empty() && !missing.empty()) {
    return base::invalid(
        "{}: {}=: api_cafile, api_certfile and api_keyfile belong together; {} is "
        "missing",
        where_of(given), given, missing);
  }
  if (!given.empty()) {
    const auto in = [&](base::Status status, const char* key) -> base::Status {
      if (status) return {};
      return base::in_context(std::move(status).error(), "{}: {}=", where_of(key), key);
    };
    FLOTILLA_TRY(in(tls::check_ca_file(files.ca_file), "api_cafile"));
    FLOTILLA_TRY(in(tls::check_cert_file(files.cert_file), "api_certfile"));
    FLOTILLA_TRY(in(tls::check_key_file(files.key_file, files.cert_file), "api_keyfile"));
  }
  for (const std::string& text : config.listen) {
    FLOTILLA_ASSIGN(const api::ListenAddress address, api::parse_listen_address(text));
    if (!address.is_tls) continue;
    if (given.empty()) {
      return base::invalid("{}: listen={}: TLS needs api_cafile=, api_certfile= and api_keyfile=",
                           where_of("listen"), text);
    }
    if (config.api_address.empty()) config.api_address = announced(address, config);
  }
  return {};
}

}  // namespace flotilla::fleetd
