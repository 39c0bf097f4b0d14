// bench/boot: from the exec of the service manager to the first instruction of the last of N
// trivial services, beside a bare vfork+exec loop of the same services (the floor, measured between
// the runs), the same with a cgroup made for each service, which is what tracking them costs in the
// kernel, and beside systemd where it can be booted.   boot [RUNS]
#include <cstdio>
#include <cstdlib>

#include "harness/harness.h"
#include "harness/machine.h"

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

uint64_t one_boot(size_t services, bool captured, bool systemd) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  Machine machine(folder.path(), trivial_services(services, stamps, captured));
  const uint64_t begin = systemd ? machine.start_systemd() : machine.start_flotilla();
  if (begin == 0) return 0;
  return stamps.wait_for_all() - begin;
}

uint64_t one_floor(size_t services, bool captured) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  return floor_start(services, stamps, captured);
}

uint64_t one_floor_in_cgroups(size_t services, bool captured) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  return floor_start_in_cgroups(services, stamps, captured);
}

int run(int runs) {
  Table table({"services", "output", "floor ms", "floor+cgroup ms", "flotilla ms", "x floor",
               "x floor+cgroup", "systemd ms", "x floor"});
  for (const bool captured : {false, true}) {
    for (const size_t services : {size_t{1}, size_t{100}, size_t{1000}}) {
      std::vector<uint64_t> floor;
      std::vector<uint64_t> floor_in_cgroups;
      std::vector<uint64_t> ours;
      std::vector<uint64_t> systemd;
      for (int i = 0; i < runs; ++i) {
        floor.push_back(one_floor(services, captured));
        floor_in_cgroups.push_back(one_floor_in_cgroups(services, captured));
        ours.push_back(one_boot(services, captured, false));
        if (i < 3) {
          if (const uint64_t time = one_boot(services, captured, true); time != 0)
            systemd.push_back(time);
        }
      }
      const double base = median_ms(floor);
      const double mine = median_ms(ours);
      const double higher = median_ms(floor_in_cgroups);
      std::vector<std::string> row{std::to_string(services),
                                   captured ? "captured" : "null",
                                   fixed(base, 2),
                                   higher > 0 ? fixed(higher, 2) : "-",
                                   fixed(mine, 2),
                                   fixed(mine / base, 2),
                                   higher > 0 ? fixed(mine / higher, 2) : "-"};
      if (systemd.empty()) {
        row.insert(row.end(), {"-", "-"});
      } else {
        const double theirs = median_ms(systemd);
        row.insert(row.end(), {fixed(theirs, 1), fixed(theirs / base, 1)});
      }
      table.add(row);
    }
  }
  std::printf("exec of the manager to the last service's first instruction, medians of %d runs\n",
              runs);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) { return flotilla::bench::run(argc > 1 ? std::atoi(argv[1]) : 7); }
