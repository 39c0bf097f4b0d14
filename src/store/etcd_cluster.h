// For tests: real etcd members on loopback addresses of this process's own, with their data in a
// folder that goes with them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "store/etcd_options.h"

namespace flotilla::store {

struct EtcdClusterOptions {
  size_t members = 1;
  bool is_tls = false;        // with client certificates
  bool has_password = false;  // user root, password "open sesame"
  std::vector<std::string> more_arguments{};
};

class EtcdCluster {
 public:
  static bool is_installed();

  explicit EtcdCluster(EtcdClusterOptions options);
  // Ends the members.
  ~EtcdCluster();
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;

  size_t members() const { return pids_.size(); }
  bool is_running(size_t member) const { return pids_[member] > 0; }
  void start(size_t member);
  // SIGKILL, and waits for its end.
  void kill(size_t member);
  void restart_all();

  std::string url(size_t member) const;
  std::string peer_url(size_t member) const;
  // A client that may do all.
  EtcdOptions client_options() const;
  EtcdSettings credentials() const;
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // Runs etcdctl against the first member; returns its output. Tries again until it succeeds.
  std::string etcdctl(const std::string& arguments) const;
  // What the members have said last.
  std::string logs() const;

 private:
  void make_certificates() const;

  EtcdClusterOptions options_;
  std::string folder_;
  std::string address_;
  int first_port_;
  std::vector<pid_t> pids_;
};

}  // namespace flotilla::store
