// EtcdProcess: a real etcd for one test, on an address that no other test uses.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "harness/command.h"
#include "harness/temporary_root.h"

namespace flotilla::system_test {

inline bool has_etcd() { return access("/usr/bin/etcd", X_OK) == 0; }

// A loopback address that is this process's alone: nobody else listens there.
inline std::string own_loopback_address() {
  const int pid = getpid();
  return "127." + std::to_string(128 + (pid >> 16) % 64) + "." + std::to_string((pid >> 8) % 256) +
         "." + std::to_string(pid % 256);
}

class EtcdProcess {
 public:
  // Its data and its log are in the folder. Requires: has_etcd().
  explicit EtcdProcess(const TemporaryRoot& folder) : folder_(folder) {}
  ~EtcdProcess() { kill(); }
  EtcdProcess(const EtcdProcess&) = delete;
  EtcdProcess& operator=(const EtcdProcess&) = delete;

  static std::string url(int port = 2379) {
    return "http://" + own_loopback_address() + ":" + std::to_string(port);
  }
  void start() {
    process_ = std::make_unique<BackgroundCommand>(
        std::vector<std::string>{
            "/usr/bin/etcd", "--data-dir=" + (folder_ / "etcd"), "--listen-client-urls=" + url(),
            "--advertise-client-urls=" + url(), "--listen-peer-urls=" + url(2380),
            "--initial-advertise-peer-urls=" + url(2380), "--initial-cluster=default=" + url(2380),
            "--logger=zap"},
        folder_ / "etcd.log");
  }
  void kill() {
    if (!process_) return;
    process_->signal(SIGKILL);
    process_->wait();
    process_.reset();
  }

 private:
  const TemporaryRoot& folder_;
  std::unique_ptr<BackgroundCommand> process_;
};

}  // namespace flotilla::system_test
