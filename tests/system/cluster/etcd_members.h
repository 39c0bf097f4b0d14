// EtcdMembers: three etcd, each on a host of its own of the network, with its data in memory.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cluster/network.h"
#include "harness/command.h"
#include "harness/temporary_root.h"

namespace flotilla::system_test {

class EtcdMembers {
 public:
  static constexpr int kCount = 3;

  EtcdMembers(Network& network, const TemporaryRoot& folder);
  ~EtcdMembers();
  EtcdMembers(const EtcdMembers&) = delete;
  EtcdMembers& operator=(const EtcdMembers&) = delete;

  void start(int member);
  void kill(int member);
  static int host(int member) { return 11 + member; }
  static std::string url(int member) {
    return "http://" + Network::address(host(member)) + ":2379";
  }
  static std::string urls();

  // etcdctl with the words behind, against all members or one.
  Outcome ctl(std::vector<std::string> arguments, int member = -1) const;
  // Which of them leads; -1: none that answers says so.
  int leader() const;
  std::string log(int member) const;

 private:
  Network& network_;
  const TemporaryRoot& folder_;
  std::array<std::unique_ptr<BackgroundCommand>, kCount> members_;
};

}  // namespace flotilla::system_test
