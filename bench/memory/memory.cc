// bench/memory: proportional set size and private dirty memory of every process of ours while 1000
// services idle, before any bus client and after one has come and gone, and how often each woke up
// meanwhile. The floor is a bare static program that waits. Beside it s6, runit and dinit where
// they are installed.   memory [SERVICES]
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "harness/client.h"
#include "harness/harness.h"
#include "harness/machine.h"
#include "harness/peers.h"

namespace flotilla::bench {
namespace {

constexpr unsigned kRest = 1'000'000;  // microseconds

struct Sample {
  long pss = 0;
  long private_dirty = 0;
  long wake_ups = 0;
  void add(const Sample& other) {
    pss += other.pss;
    private_dirty += other.private_dirty;
    wake_ups += other.wake_ups;
  }
};

Sample sample_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  Sample result;
  std::string key;
  long value = 0;
  std::ifstream rollup(folder + "/smaps_rollup");
  while (rollup >> key) {
    if (key == "Pss:" && rollup >> value) result.pss = value;
    if (key == "Private_Dirty:" && rollup >> value) result.private_dirty = value;
  }
  std::ifstream status(folder + "/status");
  while (status >> key) {
    if (key == "voluntary_ctxt_switches:" && status >> value) result.wake_ups = value;
  }
  return result;
}

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::string first;
  std::getline(file, first, '\0');
  return std::filesystem::path(first).filename();
}

// By "keeper", "manager", "flotilla-logd"; one of the services as "service".
std::map<std::string, Sample> measure(const Machine& machine) {
  std::map<std::string, Sample> result;
  for (const pid_t pid : machine.descendants()) {
    std::string name = name_of(pid);
    if (name == "flotilla-init") name = result.count("keeper") == 0 ? "keeper" : "manager";
    if (name == "stamps-service") name = "service";
    if (result.count(name) == 0) result[name] = sample_of(pid);
  }
  return result;
}

// The supervisor's own processes, without the services.
void add_peer(Table& table, PeerKind kind, size_t services) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  PeerMachine machine(kind, PeerTask::kBoot, folder.path(), services, stamps);
  machine.start();
  stamps.wait_for_all();
  usleep(kRest);
  const auto measure_all = [&](size_t& processes) {
    Sample sum;
    for (const pid_t pid : tree_of(machine.pid())) {
      if (name_of(pid) == "stamps-service") continue;
      sum.add(sample_of(pid));
      ++processes;
    }
    return sum;
  };
  size_t processes = 0, later = 0;
  const Sample before = measure_all(processes);
  usleep(kRest);
  const Sample rested = measure_all(later);
  table.add({to_string(kind), std::to_string(processes), std::to_string(before.pss),
             std::to_string(before.private_dirty),
             fixed(static_cast<double>(before.private_dirty) / static_cast<double>(services), 2),
             std::to_string(rested.wake_ups - before.wake_ups)});
}

void print_peers(size_t services) {
  const std::vector<PeerKind> peers = installed_peers();
  if (peers.empty()) return;
  Table table({"others", "processes", "PSS KiB", "private dirty KiB", "a service", "wake-ups"});
  for (const PeerKind kind : peers) add_peer(table, kind, services);
  std::printf("\nthe same services, output not captured\n");
  table.print();
}

void print_own(size_t services) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  std::vector<UnitFile> units;
  for (size_t i = 0; i < services; ++i) {
    units.push_back({"s" + std::to_string(i) + ".service",
                     "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=" + stamps.program() +
                         " " + stamps.path() + " " + std::to_string(i) + "\n"});
  }
  Machine machine(folder.path(), units);
  machine.start_flotilla();
  stamps.wait_for_all();
  usleep(kRest);
  const auto before = measure(machine);
  usleep(kRest);
  const auto rested = measure(machine);
  auto client = std::make_unique<Client>(folder.path());
  client->list_units();
  client.reset();
  usleep(kRest);
  const auto after = measure(machine);

  Table table({"process", "PSS KiB", "private dirty KiB", "a service", "PSS after a bus client",
               "wake-ups"});
  Sample total, total_rested, total_after;
  const auto row = [&](const std::string& name, const Sample& at_first, const Sample& later,
                       const Sample& at_last) {
    table.add(
        {name, std::to_string(at_first.pss), std::to_string(at_first.private_dirty),
         fixed(static_cast<double>(at_first.private_dirty) / static_cast<double>(services), 2),
         std::to_string(at_last.pss), std::to_string(later.wake_ups - at_first.wake_ups)});
  };
  for (const char* name : {"keeper", "manager", "flotilla-logd"}) {
    row(name, before.at(name), rested.at(name), after.at(name));
    total.add(before.at(name));
    total_rested.add(rested.at(name));
    total_after.add(after.at(name));
  }
  row("together", total, total_rested, total_after);
  row("floor: one service", before.at("service"), rested.at("service"), after.at("service"));
  std::printf("%zu idle services, output captured; wake-ups within %u ms\n", services,
              kRest / 1000);
  table.print();
}

int run(size_t services) {
  print_own(services);
  print_peers(services);
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 1000);
}
