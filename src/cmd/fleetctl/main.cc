// fleetctl. Who wants the registry itself gets fleetctl-etcd, which lies beside this program: it
// alone is linked with what speaks to etcd, which takes longer to load than most commands to run.
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "cmd/fleetctl/program.h"

namespace {

using Connected = flotilla::base::Result<std::shared_ptr<flotilla::client::FleetApi>>;

// Returns only if it cannot be run.
Connected become_fleetctl_etcd(int argc, char** argv) {
  std::string path(4096, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(length > 0 ? static_cast<size_t>(length) : 0);
  path = path.substr(0, path.rfind('/') + 1) + "fleetctl-etcd";
  // First, so that it stands before a "--".
  std::string driver = "--driver=etcd";
  std::vector<char*> arguments{argv[0], driver.data()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  ::execv(path.c_str(), arguments.data());
  return flotilla::base::system_error(errno, "the etcd driver: run {}", path);
}

}  // namespace

int main(int argc, char** argv) {
  flotilla::fctl::SystemPacer pacer;
  return flotilla::cmd::run_fleetctl(argc, argv, pacer, [&](const flotilla::fctl::EtcdAddress&) {
    return become_fleetctl_etcd(argc, argv);
  });
}
