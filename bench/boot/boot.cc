// bench/boot: from the exec of the service manager to the first instruction of the last of N
// trivial services, beside a bare vfork+exec loop of the same services (the floor, measured between
// the runs), the same with a cgroup made for each service, which is what tracking them costs in the
// kernel, and beside systemd where it can be booted and s6, runit and dinit where they are
// installed. Beside the time stands the CPU that all processes together used until then.
//
//   boot [RUNS [OTHERS-RUNS]]
#include <cstdio>
#include <cstdlib>

#include "harness/harness.h"
#include "harness/machine.h"
#include "harness/peers.h"

namespace flotilla::bench {
namespace {

std::vector<UnitFile> trivial_services(size_t count, const StampFile& stamps, bool captured) {
  std::vector<UnitFile> units;
  for (size_t i = 0; i < count; ++i) {
    units.push_back({"s" + std::to_string(i) + ".service",
                     "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=" + stamps.program() +
                         " " + stamps.path() + " " + std::to_string(i) +
                         "\nStandardOutput=" + (captured ? "journal" : "null") + "\n"});
  }
  return units;
}

struct Cost {
  uint64_t time = 0;
  uint64_t cpu = 0;  // of the manager's processes and the services', all together
};

struct Costs {
  std::vector<uint64_t> time, cpu;
  void add(const Cost& cost) {
    if (cost.time == 0) return;
    time.push_back(cost.time);
    cpu.push_back(cost.cpu);
  }
  std::string ratio(const Costs& floor) const {
    return floor.time.empty() ? "-" : fixed(median_ms(time) / median_ms(floor.time), 2);
  }
  std::string cpu_ratio(const Costs& floor) const {
    return floor.cpu.empty() ? "-" : fixed(median_ms(cpu) / median_ms(floor.cpu), 2);
  }
};

Cost one_boot(size_t services, bool captured, bool systemd) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  Machine machine(folder.path(), trivial_services(services, stamps, captured));
  const uint64_t begin = systemd ? machine.start_systemd() : machine.start_flotilla();
  if (begin == 0) return {};
  Cost cost;
  cost.time = stamps.wait_for_all() - begin;
  for (const pid_t pid : machine.descendants()) cost.cpu += cpu_of(pid);
  return cost;
}

Cost one_peer_boot(PeerKind kind, size_t services) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  PeerMachine machine(kind, PeerTask::kBoot, folder.path(), services, stamps);
  Cost cost;
  cost.time = machine.start();
  cost.time = stamps.wait_for_all() - cost.time;
  for (const pid_t pid : tree_of(machine.pid())) cost.cpu += cpu_of(pid);
  return cost;
}

Cost one_floor(size_t services, bool captured) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  Cost cost;
  cost.time = floor_start(services, stamps, captured, &cost.cpu);
  return cost;
}

Cost one_floor_in_cgroups(size_t services, bool captured) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  Cost cost;
  cost.time = floor_start_in_cgroups(services, stamps, captured, &cost.cpu);
  return cost;
}

int run(int runs, int others_runs) {
  const std::vector<PeerKind> peers = installed_peers();
  std::vector<std::string> head{
      "services",       "output", "floor ms", "floor+cgroup ms", "flotilla ms", "x floor",
      "x floor+cgroup", "CPU ms", "x floor",  "x floor+cgroup",  "systemd ms",  "x floor"};
  for (const PeerKind kind : peers) {
    for (const char* column : {" ms", " x floor", " CPU x floor"}) {
      head.push_back(to_string(kind) + column);
    }
  }
  Table table(head);
  for (const bool captured : {false, true}) {
    for (const size_t services : {size_t{1}, size_t{100}, size_t{1000}}) {
      Costs floor, floor_in_cgroups, ours, systemd;
      std::vector<Costs> others(peers.size());
      for (int i = 0; i < runs; ++i) {
        floor.add(one_floor(services, captured));
        floor_in_cgroups.add(one_floor_in_cgroups(services, captured));
        ours.add(one_boot(services, captured, false));
        if (i < others_runs) systemd.add(one_boot(services, captured, true));
        // Their output is never captured: a logger of each is a program of its own.
        for (size_t peer = 0; peer < peers.size() && !captured && i < others_runs; ++peer) {
          others[peer].add(one_peer_boot(peers[peer], services));
        }
      }
      const auto shown = [](const Costs& costs) {
        return costs.time.empty() ? std::string("-") : fixed(median_ms(costs.time), 2);
      };
      std::vector<std::string> row{std::to_string(services),
                                   captured ? "captured" : "null",
                                   shown(floor),
                                   shown(floor_in_cgroups),
                                   shown(ours),
                                   ours.ratio(floor),
                                   ours.ratio(floor_in_cgroups),
                                   fixed(median_ms(ours.cpu), 2),
                                   ours.cpu_ratio(floor),
                                   ours.cpu_ratio(floor_in_cgroups),
                                   shown(systemd),
                                   systemd.time.empty() ? "-" : systemd.ratio(floor)};
      for (const Costs& other : others) {
        const bool is_there = !other.time.empty();
        row.push_back(shown(other));
        row.push_back(is_there ? other.ratio(floor) : "-");
        row.push_back(is_there ? other.cpu_ratio(floor) : "-");
      }
      table.add(std::move(row));
    }
  }
  std::printf("exec of the manager to the last service's first instruction, medians of %d runs\n",
              runs);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? std::atoi(argv[1]) : 7, argc > 2 ? std::atoi(argv[2]) : 3);
}
