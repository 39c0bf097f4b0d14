#include "fctl/connect.h"

#include "client/endpoint.h"
#include "fctl/ssh.h"

namespace flotilla::fctl {

base::Result<std::shared_ptr<client::FleetApi>> connect(const Flags& flags,
                                                        const Environment& environment) {
  const std::string& driver = flags.text("driver");
  if (driver == "etcd")
    return base::unsupported("the etcd driver is not built in; use the API driver");
  if (driver != "API") return base::invalid("unrecognized driver \"{}\"", driver);
  FLOTILLA_ASSIGN(std::vector<client::Endpoint> endpoints,
                  client::parse_endpoints(flags.text("endpoint")));
  if (!flags.text("tunnel").empty()) {
    FLOTILLA_ASSIGN(const SshSettings settings, ssh_settings(flags, environment));
    for (client::Endpoint& endpoint : endpoints) endpoint = tunnelled(settings, endpoint);
  }
  return environment.connect(endpoints);
}

}  // namespace flotilla::fctl
