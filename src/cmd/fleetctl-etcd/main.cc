// fleetctl-etcd: fleetctl with --driver etcd. It works on the registry in etcd itself, without a
// daemon's API. fleetctl runs it; see there.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>

#include "base/version.h"
#include "client/http_fleet_api.h"
#include "client/traced_transport.h"
#include "cmd/fleetctl/program.h"
#include "direct/registry_transport.h"
#include "direct/version_warning.h"
#include "registry/keys.h"
#include "store/etcd_store.h"

namespace {

using flotilla::direct::RegistryTransport;

// Time that passes between two looks is time in which the view of the registry goes on.
class LoopPacer final : public flotilla::fctl::Pacer {
 public:
  std::chrono::milliseconds now() override { return system_.now(); }
  std::chrono::microseconds wall_clock() override { return system_.wall_clock(); }
  void pause(std::chrono::milliseconds how_long) override {
    if (transport == nullptr) return system_.pause(how_long);
    transport->run_for(how_long);
  }

  RegistryTransport* transport = nullptr;  // from when it is connected, to the end of the program

 private:
  flotilla::fctl::SystemPacer system_;
};

flotilla::base::Result<std::unique_ptr<RegistryTransport>> open_registry(
    const flotilla::fctl::EtcdAddress& address) {
  const flotilla::store::EtcdSettings settings{address.ca_file,  address.cert_file,
                                               address.key_file, address.username,
                                               address.password, flotilla::base::Micros(0)};
  FLOTILLA_ASSIGN(flotilla::store::EtcdOptions options,
                  flotilla::store::make_etcd_options(address.servers, settings));
  flotilla::direct::RegistryOptions registry;
  registry.patience =
      std::chrono::milliseconds(static_cast<int64_t>(address.request_timeout * 1000) + 1);
  options.request_timeout = registry.patience;
  auto prefix = flotilla::registry::parse_key_prefix(address.key_prefix);
  if (!prefix) {
    return flotilla::base::in_context(std::move(prefix).error(), "--etcd-key-prefix");
  }
  registry.prefix = std::move(*prefix);
  auto opened = RegistryTransport::open(registry, [&](flotilla::base::EventLoop& loop) {
    return flotilla::base::Result<std::unique_ptr<flotilla::store::Store>>(
        flotilla::store::make_etcd_store(std::move(options), loop));
  });
  if (!opened) return flotilla::base::in_context(std::move(opened).error(), "{}", address.servers);
  return opened;
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_logger_st("fleetctl"));
  spdlog::set_pattern("%Y/%m/%d %H:%M:%S %l %s:%#: %v");
  spdlog::set_level(spdlog::level::err);
  LoopPacer pacer;
  return flotilla::cmd::run_fleetctl(
      argc, argv, pacer,
      [&](const flotilla::fctl::EtcdAddress& address)
          -> flotilla::base::Result<std::shared_ptr<flotilla::client::FleetApi>> {
        FLOTILLA_ASSIGN(std::unique_ptr<RegistryTransport> transport, open_registry(address));
        if (const auto warning = flotilla::direct::version_warning(transport->machines(),
                                                                   flotilla::base::kVersion)) {
          std::fputs(warning->c_str(), stderr);
        }
        pacer.transport = transport.get();
        return std::shared_ptr<flotilla::client::FleetApi>(
            std::make_shared<flotilla::client::HttpFleetApi>(
                flotilla::client::traced(std::move(transport), address.trace)));
      });
}
