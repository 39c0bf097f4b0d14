// bench/chain: a chain of 100 oneshot services, each ordered after the last, from the first one's
// first instruction to the last one's, beside a bare loop of vfork, exec and wait (the floor).
// chain [RUNS]
#include <cstdio>
#include <cstdlib>

#include "harness/harness.h"
#include "harness/machine.h"

namespace flotilla::bench {
namespace {

constexpr size_t kLength = 100;

std::vector<UnitFile> chain_of_services(const StampFile& stamps) {
  std::vector<UnitFile> units;
  for (size_t i = 0; i < kLength; ++i) {
    std::string text = "[Unit]\nDefaultDependencies=no\n";
    if (i > 0) text += "After=s" + std::to_string(i - 1) + ".service\n";
    text += "[Service]\nType=oneshot\nStandardOutput=null\nExecStart=" + stamps.program() + " " +
            stamps.path() + " " + std::to_string(i) + " exit\n";
    units.push_back({"s" + std::to_string(i) + ".service", text});
  }
  return units;
}

uint64_t span_of(const StampFile& stamps) {
  stamps.wait_for_all();
  return stamps.at(kLength - 1) - stamps.at(0);
}

uint64_t one_chain() {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), kLength);
  Machine machine(folder.path(), chain_of_services(stamps));
  machine.start_flotilla();
  return span_of(stamps);
}

uint64_t one_floor() {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), kLength);
  floor_chain(kLength, stamps);
  return span_of(stamps);
}

int run(int runs) {
  std::vector<uint64_t> floor, ours;
  for (int i = 0; i < runs; ++i) {
    floor.push_back(one_floor());
    ours.push_back(one_chain());
  }
  Table table({"", "median ms", "x floor"});
  table.add({"floor", fixed(median_ms(floor), 2), "1.00"});
  table.add({"flotilla", fixed(median_ms(ours), 2), fixed(median_ms(ours) / median_ms(floor), 2)});
  std::printf("%zu oneshot services, each after the last, medians of %d runs\n", kLength, runs);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) { return flotilla::bench::run(argc > 1 ? std::atoi(argv[1]) : 15); }
