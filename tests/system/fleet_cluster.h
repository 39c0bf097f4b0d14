// FleetClusterTest: two machines, each a flotilla-init with fleetd as a unit, over one etcd. Their
// APIs are on unix sockets and on TCP, where they find each other.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "etcd_process.h"
#include "harness/system_test.h"

namespace flotilla::system_test {

// One machine of the cluster.
class ClusterNode {
 public:
  // The first eight letters of `id` are its own; `more` goes on behind "listen=/path/of/socket,".
  ClusterNode(std::string id, const std::string& more) : id_(std::move(id)) {
    const std::string listen = "listen=" + socket() + ",";
    root().write("etc/fleet.conf",
                 "registry=etcd:" + EtcdProcess::url() +
                     "\nunits_directory=" + (root() / "run/fleet/units") +
                     "\nlog_directory=" + (root() / "var/log/flotilla") + "\nmachine_id=" + id_ +
                     "\npublic_ip=" + own_loopback_address() + "\n" + listen + more);
    machine_.add_unit("fleetd.service",
                      "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\n" +
                          machine_.sanitizer_environment() +
                          "ExecStart=" FLOTILLA_FLEETD " --config " + (root() / "etc/fleet.conf") +
                          " --state-dir " + (root() / "fleet") + " --manager-socket " +
                          (root() / "run/systemd/private") + "\n");
  }

  void start() {
    machine_.start();
    ASSERT_THAT(machine_.systemctl({"start", "fleetd"}), Answers(0, "", ""));
    ASSERT_TRUE(wait_until([&] { return machines().find(id_) != std::string::npos; })) << log();
  }

  const TemporaryRoot& root() const { return machine_.root(); }
  const std::string& id() const { return id_; }
  Machine& machine() { return machine_; }
  std::string socket() const { return root() / "fleet.sock"; }
  std::string machines() const { return fleetctl({"list-machines", "--no-legend", "--full"}).out; }

  Outcome fleetctl(const std::vector<std::string>& arguments) const {
    return fleetctl_with(environment(), arguments);
  }
  Outcome fleetctl_with(const std::vector<std::pair<std::string, std::string>>& environment,
                        const std::vector<std::string>& arguments) const {
    CommandOptions options;
    options.directory = root().path();
    options.environment = environment;
    return run_command(words(arguments), options);
  }
  std::unique_ptr<BackgroundCommand> begin_fleetctl(const std::vector<std::string>& arguments,
                                                    const std::string& output) const {
    CommandOptions options;
    options.environment = environment();
    return std::make_unique<BackgroundCommand>(words(arguments), root() / output, options);
  }

  // A unit file here, of a service that says hello at each of its starts.
  void write_unit(const std::string& name, const std::string& fleet) const {
    root().write(name,
                 "[Service]\nExecStart=" FLOTILLA_PROBE " --print=hello\n\n[X-Fleet]\n" + fleet);
  }
  // How often the service has been started on this machine.
  bool wait_for_starts(const std::string& unit, size_t count) const {
    return wait_until([&] {
      const std::vector<std::string> lines = machine_.log_of(unit);
      return static_cast<size_t>(std::count(lines.begin(), lines.end(), "hello")) == count;
    });
  }
  std::string log() const {
    std::string text = machine_.output();
    for (const std::string& line : machine_.log_of("fleetd.service")) text += line + "\n";
    return text;
  }

 private:
  static std::vector<std::string> words(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{FLOTILLA_FLEETCTL};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }
  std::vector<std::pair<std::string, std::string>> environment() const {
    return {{"FLEETCTL_ENDPOINT", "unix://" + socket()}};
  }

  const std::string id_;
  Machine machine_;
};

class FleetClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_etcd()) GTEST_SKIP() << "etcd is not installed";
    etcd_.start();
    a_ = make("aaaaaaaa0000000000000000000000aa", 1);
    b_ = make("bbbbbbbb0000000000000000000000bb", 2);
    a_->start();
    b_->start();
    const auto is_whole = [this] {
      return lines_of(a_->machines()).size() == 2 && lines_of(b_->machines()).size() == 2;
    };
    ASSERT_TRUE(wait_until(is_whole)) << a_->log() << b_->log();
  }

  // A unit that runs on b, started through a.
  void start_on_b() {
    a_->write_unit("far.service", "MachineID=" + b_->id() + "\n");
    ASSERT_THAT(a_->fleetctl({"start", "far.service"}),
                Answers(0, ::testing::HasSubstr("Unit far.service launched on bbbbbbbb..."), ""));
    ASSERT_TRUE(b_->wait_for_starts("far.service", 1)) << b_->log();
  }
  static std::string api(int number) {
    return own_loopback_address() + ":" + std::to_string(4000 + number);
  }
  // The TCP address of the API of the machine with that number, and other lines.
  virtual std::string more_config(int number) const {
    return api(number) + "\napi_address=http://" + api(number) + "\n";
  }

  TemporaryRoot folder_;
  EtcdProcess etcd_{folder_};
  std::unique_ptr<ClusterNode> a_;
  std::unique_ptr<ClusterNode> b_;

 private:
  std::unique_ptr<ClusterNode> make(const std::string& id, int number) {
    return std::make_unique<ClusterNode>(id, more_config(number));
  }
};

}  // namespace flotilla::system_test
