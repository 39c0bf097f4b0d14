#include "fctl/connect.h"

#include <algorithm>

#include "client/endpoint.h"
#include "fctl/log_line.h"
#include "fctl/ssh.h"

namespace flotilla::fctl {

namespace {

// Where etcd listens on this machine, now and in its first years: fleet's default.
constexpr const char* kLocalEtcd = "http://127.0.0.1:2379,http://127.0.0.1:4001";

// What the flag says, or its deprecated name.
const std::string& text_of(const Flags& flags, std::string_view name, std::string_view old_name) {
  return flags.text(name).empty() ? flags.text(old_name) : flags.text(name);
}

Trace trace_of(const Flags& flags, const Environment& environment) {
  if (!flags.is_set("debug")) return {};
  return [&output = environment.output](const std::string& text) {
    output.err_line(debug_line(text));
  };
}

base::Result<std::shared_ptr<client::FleetApi>> connect_etcd(const Flags& flags,
                                                             const Environment& environment) {
  if (!flags.text("tunnel").empty()) {
    return base::unsupported("the etcd driver cannot go through --tunnel; use the API driver");
  }
  EtcdAddress address;
  address.servers = flags.was_given("endpoint") ? flags.text("endpoint") : kLocalEtcd;
  address.key_prefix = flags.text("etcd-key-prefix");
  address.ca_file = text_of(flags, "ca-file", "etcd-cafile");
  address.cert_file = text_of(flags, "cert-file", "etcd-certfile");
  address.key_file = text_of(flags, "key-file", "etcd-keyfile");
  address.username = flags.text("etcd-username");
  address.password = flags.text("etcd-password");
  address.request_timeout = flags.seconds("request-timeout");
  address.trace = trace_of(flags, environment);
  return environment.connect_etcd(address);
}

bool is_over_tcp(const client::Endpoint& endpoint) {
  return endpoint.kind == client::Endpoint::Kind::kTcp;
}

}  // namespace

base::Result<std::shared_ptr<client::FleetApi>> connect(const Flags& flags,
                                                        const Environment& environment) {
  const std::string& driver = flags.text("driver");
  if (driver == "etcd") return connect_etcd(flags, environment);
  if (driver != "API") return base::invalid("unrecognized driver \"{}\"", driver);
  FLOTILLA_ASSIGN(std::vector<client::Endpoint> endpoints,
                  client::parse_endpoints(flags.text("endpoint")));
  const tls::Files files{text_of(flags, "ca-file", "etcd-cafile"),
                         text_of(flags, "cert-file", "etcd-certfile"),
                         text_of(flags, "key-file", "etcd-keyfile")};
  for (client::Endpoint& endpoint : endpoints) {
    if (endpoint.is_tls) endpoint.tls = files;
  }
  if (!flags.text("tunnel").empty()) {
    FLOTILLA_ASSIGN(const SshSettings settings, ssh_settings(flags, environment));
    for (client::Endpoint& endpoint : endpoints) endpoint = tunnelled(settings, endpoint);
  }
  // etcd is found over TCP alone; an API on a socket of this machine is not asked.
  const bool may_be_etcd = std::all_of(endpoints.begin(), endpoints.end(), is_over_tcp);
  if (may_be_etcd && environment.is_etcd && environment.is_etcd(endpoints)) {
    return connect_etcd(flags, environment);
  }
  return environment.connect(endpoints, trace_of(flags, environment));
}

}  // namespace flotilla::fctl
