// bench/memory: proportional set size and private dirty memory of every process of ours while 1000
// services idle. The floor is a bare static program that waits.   memory [SERVICES]
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/fleet.h"
#include "harness/harness.h"
#include "harness/machine.h"

namespace flotilla::bench {
namespace {

struct Memory {
  long pss = 0;
  long private_dirty = 0;
};

Memory memory_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  Memory result;
  std::string key;
  while (file >> key) {
    long value = 0;
    if (key == "Pss:" && file >> value) result.pss = value;
    if (key == "Private_Dirty:" && file >> value) result.private_dirty = value;
  }
  return result;
}

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::string first;
  std::getline(file, first, '\0');
  return std::filesystem::path(first).filename();
}

int run(size_t services) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), services);
  std::vector<UnitFile> units;
  for (size_t i = 0; i < services; ++i) {
    units.push_back({"s" + std::to_string(i) + ".service",
                     "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=" + stamps.program() +
                         " " + stamps.path() + " " + std::to_string(i) + "\n"});
  }
  units.push_back(fleetd_unit(folder.path()));
  Machine machine(folder.path(), units);
  machine.start_flotilla();
  stamps.wait_for_all();
  wait_for_api(folder.path());

  Table table({"process", "PSS KiB", "private dirty KiB"});
  Memory total;
  bool keeper_seen = false;
  Memory floor;
  for (const pid_t pid : machine.descendants()) {
    const std::string name = name_of(pid);
    const Memory memory = memory_of(pid);
    if (name == "stamps-service") {
      floor = memory;
      continue;
    }
    std::string shown = name;
    if (name == "flotilla-init") {
      shown = keeper_seen ? "manager" : "keeper";
      keeper_seen = true;
    }
    if (name == "flotilla-init" || name == "flotilla-logd") {
      total.pss += memory.pss;
      total.private_dirty += memory.private_dirty;
    }
    table.add({shown, std::to_string(memory.pss), std::to_string(memory.private_dirty)});
  }
  table.add(
      {"keeper+manager+logd", std::to_string(total.pss), std::to_string(total.private_dirty)});
  table.add({"floor: one waiting service", std::to_string(floor.pss),
             std::to_string(floor.private_dirty)});
  std::printf("%zu idle services, output captured\n", services);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 1000);
}
