// bench/boot: from the exec of the service manager to the first instruction of the last of N
// trivial services, and the CPU that all processes together used until then. Where no cgroup v2
// tree can be had it stands beside a bare vfork+exec loop of the same services (its floor, measured
// between the runs), and so do s6, runit and dinit where they are installed; with cgroups, beside
// the same loop with a cgroup made for each service, and so does systemd where it can be booted.
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
  bool is_there() const { return !time.empty(); }
};

std::string shown(const std::vector<uint64_t>& times) {
  return times.empty() ? "-" : fixed(median_ms(times), 2);
}

std::string ratio(const std::vector<uint64_t>& times, const std::vector<uint64_t>& floor) {
  if (times.empty() || floor.empty()) return "-";
  return fixed(median_ms(times) / median_ms(floor), 2);
}

enum class Booted : uint8_t { kFlotilla, kFlotillaWithoutCgroups, kSystemd };

uint64_t start(Machine& machine, Booted which) {
  switch (which) {
    case Booted::kFlotilla:
      return machine.start_flotilla();
    case Booted::kFlotillaWithoutCgroups:
      return machine.start_flotilla_without_cgroups();
    case Booted::kSystemd:
      return machine.start_systemd();
  }
  return 0;
}

Cost one_boot(size_t services, bool captured, Booted which) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  Machine machine(folder.path(), trivial_services(services, stamps, captured));
  const uint64_t begin = start(machine, which);
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

// What is measured in one surrounding, each beside the floor of it.
struct Surrounding {
  Costs floor, ours;
  std::vector<Costs> others;
};

void add_row(Table& table, const std::vector<std::string>& first, const Surrounding& measured) {
  const auto& [floor, ours, others] = measured;
  if (!floor.is_there() || !ours.is_there()) return;
  std::vector<std::string> row = first;
  row.insert(row.end(), {shown(floor.time), shown(ours.time), ratio(ours.time, floor.time),
                         shown(floor.cpu), shown(ours.cpu), ratio(ours.cpu, floor.cpu)});
  for (const Costs& other : others) {
    row.insert(row.end(),
               {shown(other.time), ratio(other.time, floor.time), ratio(other.cpu, floor.cpu)});
  }
  table.add(std::move(row));
}

std::vector<std::string> head_with(const std::vector<std::string>& others) {
  std::vector<std::string> head{"services",     "output",          "cgroups",
                                "floor ms",     "flotilla ms",     "x floor",
                                "floor CPU ms", "flotilla CPU ms", "CPU x floor"};
  for (const std::string& other : others) {
    for (const char* column : {" ms", " x floor", " CPU x floor"}) head.push_back(other + column);
  }
  return head;
}

int run(int runs, int others_runs) {
  const std::vector<PeerKind> peers = installed_peers();
  std::vector<std::string> names;
  for (const PeerKind kind : peers) names.push_back(to_string(kind));
  Table without(head_with(names)), with(head_with({"systemd"}));
  for (const bool captured : {false, true}) {
    for (const size_t services : {size_t{1}, size_t{100}, size_t{1000}}) {
      Surrounding bare, cgroups;
      bare.others.resize(peers.size());
      cgroups.others.resize(1);
      for (int i = 0; i < runs; ++i) {
        bare.floor.add(one_floor(services, captured));
        bare.ours.add(one_boot(services, captured, Booted::kFlotillaWithoutCgroups));
        cgroups.floor.add(one_floor_in_cgroups(services, captured));
        // Without a tree to make them in this would be the boot before once more.
        if (cgroups.floor.is_there()) {
          cgroups.ours.add(one_boot(services, captured, Booted::kFlotilla));
        }
        if (i >= others_runs) continue;
        cgroups.others[0].add(one_boot(services, captured, Booted::kSystemd));
        // Their output is never captured: a logger of each is a program of its own.
        for (size_t peer = 0; peer < peers.size() && !captured; ++peer) {
          bare.others[peer].add(one_peer_boot(peers[peer], services));
        }
      }
      const std::string count = std::to_string(services);
      const char* const output = captured ? "captured" : "null";
      add_row(without, {count, output, "none"}, bare);
      add_row(with, {count, output, "one each"}, cgroups);
    }
  }
  std::printf("exec of the manager to the last service's first instruction, medians of %d runs\n",
              runs);
  without.print();
  std::printf("\n");
  with.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? std::atoi(argv[1]) : 7, argc > 2 ? std::atoi(argv[2]) : 3);
}
