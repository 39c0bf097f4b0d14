// Cluster: three etcd and five machines, each with a PID 1 of its own (flotilla-init), a /run, an
// address, and fleetd as a unit. What runs where is read from the kernel, not asked of anybody.
//
// Everything is gone with the object, and with the test process however that ends.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/etcd_members.h"
#include "cluster/network.h"
#include "namespace_machine.h"

namespace flotilla::system_test {

// The machines' lease. The sanitizers make all of it slower, the processor is shared.
#ifdef FLOTILLA_TEST_SANITIZED
inline constexpr std::chrono::seconds kTtl{4};
#else
inline constexpr std::chrono::seconds kTtl{2};
#endif

class Host {
 public:
  // `address`: of the network; `id`: the machine's.
  Host(Network& network, const TemporaryRoot& folder, std::string name, int address, std::string id,
       std::chrono::seconds ttl);

  void power_on();
  void power_off();  // all its processes end at once; what is on its disk stays
  bool is_on() const { return machine_ != nullptr; }
  // Brings the network down and up again at its port.
  void cut() { network_.cut(address_); }
  void mend() { network_.mend(address_); }

  const std::string& id() const { return id_; }
  const std::string& name() const { return name_; }
  std::string ip() const { return Network::address(address_); }
  std::string socket() const { return folder_ / (disk() + "/fleet.sock"); }
  Outcome run(const std::vector<std::string>& command) const { return machine_->run(command); }
  Outcome fleetctl(const std::vector<std::string>& arguments) const;
  bool answers() const;
  bool leads() const;

  // Pids as the test counts them; 0: there is none.
  pid_t fleetd() const;
  pid_t manager() const;
  // Processes of the service with that name that run here now.
  size_t running(const std::string& name) const;
  // How often it was started here since forget_starts().
  size_t starts(const std::string& name) const;
  void forget_starts() const;
  std::string log() const;
  // Reports of a sanitizer.
  std::string complaints() const;

 private:
  std::string units() const { return name_ + "/units"; }
  std::string disk() const { return units() + "/disk"; }

  Network& network_;
  const TemporaryRoot& folder_;
  const std::string name_;
  const int address_;
  const std::string id_;
  std::unique_ptr<NamespaceMachine> machine_;
};

class Cluster {
 public:
  static constexpr size_t kHosts = 5;

  explicit Cluster(std::chrono::seconds ttl);
  std::chrono::seconds ttl() const { return ttl_; }
  // Whether all machines see all of them.
  bool wait_until_whole() const;

  Host& host(size_t i) { return *hosts_[i]; }
  const std::array<std::unique_ptr<Host>, kHosts>& hosts() const { return hosts_; }
  EtcdMembers& etcd() { return *etcd_; }
  Network& network() { return network_; }
  const TemporaryRoot& folder() const { return folder_; }

  // The first machine that answers.
  Outcome fleetctl(const std::vector<std::string>& arguments) const;
  // Submits and starts a unit that runs until it is stopped; tries again while nobody answers.
  bool start_unit(const std::string& name, const std::string& fleet = {});
  void write_unit(const std::string& name, const std::string& fleet) const;
  // The machines that run it now.
  std::vector<size_t> where(const std::string& name) const;
  size_t starts(const std::string& name) const;
  // The machine whose engine leads; kHosts: none.
  size_t leader() const;
  std::string logs() const;

 private:
  const std::chrono::seconds ttl_;
  TemporaryRoot folder_;
  Network network_;
  std::unique_ptr<EtcdMembers> etcd_;
  std::array<std::unique_ptr<Host>, kHosts> hosts_;
};

}  // namespace flotilla::system_test
