#include "cluster/cluster.h"

#include <algorithm>
#include <filesystem>

#include "harness/processes.h"

namespace flotilla::system_test {

namespace fs = std::filesystem;

Host::Host(Network& network, const TemporaryRoot& folder, std::string name, int address,
           std::string id, std::chrono::seconds ttl)
    : network_(network),
      folder_(folder),
      name_(std::move(name)),
      address_(address),
      id_(std::move(id)) {
  const std::string at = folder_ / disk();
  folder_.make_directory(disk() + "/state");
  // Its own copy: where the tree is need not be seen inside.
  fs::copy_file(FLOTILLA_PROBE, at + "/probe");
  folder_.write(disk() + "/fleet.conf",
                "registry=etcd:" + EtcdMembers::urls() +
                    "\nagent_ttl=" + std::to_string(ttl.count()) + "s\nmachine_id=" + id_ +
                    "\npublic_ip=" + ip() + "\nmetadata=name=" + name_ + "\nlisten=" + socket() +
                    "\netcd_request_timeout=1\nlog_format=json\nlog_directory=/var/log/flotilla\n");
  folder_.write(units() + "/fleetd.service",
                "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n"
                "Type=notify\nRestart=always\nRestartSec=0\nTimeoutStartSec=infinity\n"
                "StandardOutput=append:" +
                    at +
                    "/fleetd.log\nStandardError=inherit\n"
                    "Environment=\"ASAN_OPTIONS=log_path=" +
                    at +
                    "/sanitizer\" "
                    "\"UBSAN_OPTIONS=print_stacktrace=1:log_path=" +
                    at +
                    "/sanitizer\"\n"
                    "ExecStartPre=/bin/ln -sfn " +
                    at +
                    " /run/disk\n"
                    "ExecStart=" FLOTILLA_FLEETD " --config " +
                    at + "/fleet.conf --state-dir " + at + "/state\n");
  folder_.make_directory(units() + "/multi-user.target.wants");
  fs::create_symlink("../fleetd.service",
                     folder_ / (units() + "/multi-user.target.wants/fleetd.service"));
}

void Host::power_on() {
  CommandOptions options;
  options.environment = {{"NAMESPACE_UNIT_PATH", (folder_ / units()) + ":/run/systemd/system"}};
  machine_ = std::make_unique<NamespaceMachine>(folder_, name_, folder_ / units(),
                                                std::vector<std::string>{FLOTILLA_INIT}, options);
  wait_until([&] { return machine_->init_pid() > 1; });
  network_.plug(address_, machine_->init_pid());
}

void Host::power_off() { machine_.reset(); }

Outcome Host::fleetctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{FLOTILLA_FLEETCTL};
  command.insert(command.end(), arguments.begin(), arguments.end());
  CommandOptions options;
  options.directory = folder_.path();
  options.environment = {{"FLEETCTL_ENDPOINT", "unix://" + socket()},
                         {"FLEETCTL_REQUEST_TIMEOUT", "5"}};
  return run_command(command, options);
}

bool Host::answers() const { return is_on() && fleetctl({"list-machines"}).exit_code == 0; }

bool Host::leads() const {
  const Outcome metrics = run_command(
      {"curl", "-sS", "--max-time", "5", "--unix-socket", socket(), "http://fleet/metrics"});
  for (const std::string& line : lines_of(metrics.out)) {
    constexpr std::string_view kName = "fleet_engine_leader_start_time ";
    if (line.compare(0, kName.size(), kName) == 0) return line.substr(kName.size()) != "0";
  }
  return false;
}

namespace {

std::vector<Process> processes_of(const NamespaceMachine* machine) {
  const pid_t first = machine != nullptr ? machine->init_pid() : 0;
  return first > 1 ? descendants_of(first) : std::vector<Process>{};
}

}  // namespace

pid_t Host::fleetd() const {
  for (const Process& process : processes_of(machine_.get())) {
    if (process.name == "fleetd" && process.state != 'Z') return process.pid;
  }
  return 0;
}

pid_t Host::manager() const {
  for (const Process& process : processes_of(machine_.get())) {
    if (process.name == "flotilla-init" && process.state != 'Z' &&
        process.parent == machine_->init_pid()) {
      return process.pid;
    }
  }
  return 0;
}

size_t Host::running(const std::string& name) const {
  const std::vector<Process> all = processes_of(machine_.get());
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const Process& process) {
    return process.state != 'Z' &&
           process.command.find("/starts-" + name + " ") != std::string::npos;
  }));
}

size_t Host::starts(const std::string& name) const {
  return lines_of(folder_.read(disk() + "/starts-" + name)).size();
}

void Host::forget_starts() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_ / disk(), ignored)) {
    if (entry.path().filename().string().compare(0, 7, "starts-") == 0) fs::remove(entry, ignored);
  }
}

std::string Host::log() const {
  return "--- " + name_ + "\n" + folder_.read(name_ + ".log") +
         folder_.read(disk() + "/fleetd.log");
}

std::string Host::complaints() const {
  std::string text;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_ / disk(), ignored)) {
    if (entry.path().filename().string().compare(0, 10, "sanitizer.") == 0) {
      text += read_file(entry.path());
    }
  }
  return text;
}

Cluster::Cluster(std::chrono::seconds ttl) : ttl_(ttl) {
  etcd_ = std::make_unique<EtcdMembers>(network_, folder_);
  for (size_t i = 0; i < kHosts; ++i) {
    const char letter = static_cast<char>('a' + i);
    hosts_[i] = std::make_unique<Host>(network_, folder_, std::string(1, letter),
                                       static_cast<int>(21 + i), std::string(32, letter), ttl);
    hosts_[i]->power_on();
  }
}

bool Cluster::wait_until_whole() const {
  return wait_until([&] {
    return std::all_of(hosts_.begin(), hosts_.end(), [](const auto& host) {
      return host->is_on() &&
             lines_of(host->fleetctl({"list-machines", "--no-legend"}).out).size() == kHosts;
    });
  });
}

Outcome Cluster::fleetctl(const std::vector<std::string>& arguments) const {
  for (const auto& host : hosts_) {
    if (host->answers()) return host->fleetctl(arguments);
  }
  return {};
}

void Cluster::write_unit(const std::string& name, const std::string& fleet) const {
  folder_.write(name + ".service",
                "[Service]\nExecStart=/run/disk/probe --append=/run/disk/starts-" + name +
                    " --print=x\n" + (fleet.empty() ? "" : "\n[X-Fleet]\n" + fleet));
}

bool Cluster::start_unit(const std::string& name, const std::string& fleet) {
  write_unit(name, fleet);
  return wait_until([&] {
    return fleetctl({"start", "--no-block", name + ".service"}).exit_code == 0;
  });
}

std::vector<size_t> Cluster::where(const std::string& name) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < kHosts; ++i) {
    if (hosts_[i]->running(name) != 0) found.push_back(i);
  }
  return found;
}

size_t Cluster::starts(const std::string& name) const {
  size_t count = 0;
  for (const auto& host : hosts_) count += host->starts(name);
  return count;
}

size_t Cluster::leader() const {
  for (size_t i = 0; i < kHosts; ++i) {
    if (hosts_[i]->is_on() && hosts_[i]->leads()) return i;
  }
  return kHosts;
}

std::string Cluster::logs() const {
  std::string text;
  for (const auto& host : hosts_) text += host->log();
  return text;
}

}  // namespace flotilla::system_test
