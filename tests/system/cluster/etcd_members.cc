#include "cluster/etcd_members.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdlib>

namespace flotilla::system_test {

namespace {

// A test of a full store fills it.
constexpr char kQuota[] = "--quota-backend-bytes=33554432";

std::string peer_url(int member) {
  return "http://" + Network::address(EtcdMembers::host(member)) + ":2380";
}
std::string name(int member) { return "etcd" + std::to_string(member); }

}  // namespace

EtcdMembers::EtcdMembers(Network& network, const TemporaryRoot& folder)
    : network_(network), folder_(folder) {
  // In memory: what a disk does to etcd is not tested here, and slow ones would end leases.
  folder_.make_directory("etcd");
  run_command({"mount", "-t", "tmpfs", "tmpfs", folder_ / "etcd"});
  for (int member = 0; member < kCount; ++member) start(member);
}

EtcdMembers::~EtcdMembers() {
  for (int member = 0; member < kCount; ++member) kill(member);
  run_command({"umount", "--lazy", folder_ / "etcd"});
}

void EtcdMembers::start(int member) {
  std::string all;
  for (int i = 0; i < kCount; ++i) {
    all += (all.empty() ? "" : ",") + name(i) + "=" + peer_url(i);
  }
  CommandOptions options;
  // Listens on addresses that it has from the start; the network follows.
  options.prepare = [] {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET) != 0) _exit(126);
  };
  members_[static_cast<size_t>(member)] = std::make_unique<BackgroundCommand>(
      std::vector<std::string>{
          "/bin/sh", "-c",
          "until ip -4 addr show dev eth0 2>/dev/null | grep -q inet; do sleep 0.02; done; "
          "exec \"$@\"",
          "sh", "/usr/bin/etcd", "--name=" + name(member),
          "--data-dir=" + (folder_ / ("etcd/" + name(member))),
          "--listen-client-urls=" + url(member), "--advertise-client-urls=" + url(member),
          "--listen-peer-urls=" + peer_url(member),
          "--initial-advertise-peer-urls=" + peer_url(member), "--initial-cluster=" + all, kQuota,
          "--logger=zap"},
      folder_ / (name(member) + ".log"), options);
  network_.plug(host(member), members_[static_cast<size_t>(member)]->pid());
}

void EtcdMembers::kill(int member) {
  auto& process = members_[static_cast<size_t>(member)];
  if (!process) return;
  process->signal(SIGKILL);
  process->wait();
  process.reset();
}

std::string EtcdMembers::urls() {
  std::string all;
  for (int member = 0; member < kCount; ++member) {
    all += (all.empty() ? "" : ",") + url(member);
  }
  return all;
}

Outcome EtcdMembers::ctl(std::vector<std::string> arguments, int member) const {
  arguments.insert(arguments.begin(),
                   {"etcdctl", "--endpoints=" + (member < 0 ? urls() : url(member)),
                    "--dial-timeout=2s", "--command-timeout=10s"});
  CommandOptions options;
  options.environment = {{"ETCDCTL_API", "3"}};
  return run_command(arguments, options);
}

int EtcdMembers::leader() const {
  for (int member = 0; member < kCount; ++member) {
    // Fields of the simple form: endpoint, id, version, size, leads ...
    const std::string status = ctl({"endpoint", "status"}, member).out;
    std::vector<std::string> fields;
    size_t from = 0;
    for (size_t at = status.find(", "); at != std::string::npos; at = status.find(", ", from)) {
      fields.push_back(status.substr(from, at - from));
      from = at + 2;
    }
    if (fields.size() > 4 && fields[4] == "true") return member;
  }
  return -1;
}

std::string EtcdMembers::log(int member) const { return folder_.read(name(member) + ".log"); }

}  // namespace flotilla::system_test
