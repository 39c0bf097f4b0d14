// bench/chain: a chain of 100 oneshot services, each ordered after the last, from the first one's
// first instruction to the last one's, beside a bare loop of vfork, exec and wait (the floor), the
// same with a cgroup made for each and removed after it, and dinit where it is installed.
// chain [RUNS]
#include <cstdio>
#include <cstdlib>
#include <map>

#include "harness/harness.h"
#include "harness/machine.h"
#include "harness/peers.h"

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

uint64_t one_peer_chain(PeerKind kind) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), kLength);
  PeerMachine machine(kind, PeerTask::kChain, folder.path(), kLength, stamps);
  machine.start();
  return span_of(stamps);
}

uint64_t one_floor() {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), kLength);
  floor_chain(kLength, stamps);
  return span_of(stamps);
}

uint64_t one_floor_in_cgroups() {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), kLength);
  return floor_chain_in_cgroups(kLength, stamps) ? span_of(stamps) : 0;
}

int run(int runs) {
  std::vector<uint64_t> floor, floor_in_cgroups, ours;
  std::map<PeerKind, std::vector<uint64_t>> others;
  for (int i = 0; i < runs; ++i) {
    floor.push_back(one_floor());
    if (const uint64_t span = one_floor_in_cgroups()) floor_in_cgroups.push_back(span);
    ours.push_back(one_chain());
    for (const PeerKind kind : installed_peers()) {
      if (can_do(kind, PeerTask::kChain)) others[kind].push_back(one_peer_chain(kind));
    }
  }
  Table table({"", "median ms", "x floor", "x floor+cgroup"});
  const auto row = [&](const std::string& name, const std::vector<uint64_t>& spans) {
    const auto over = [&](const std::vector<uint64_t>& below) {
      return below.empty() ? "-" : fixed(median_ms(spans) / median_ms(below), 2);
    };
    table.add({name, fixed(median_ms(spans), 2), over(floor), over(floor_in_cgroups)});
  };
  row("floor", floor);
  if (!floor_in_cgroups.empty()) row("floor+cgroup", floor_in_cgroups);
  row("flotilla", ours);
  for (const auto& [kind, spans] : others) row(to_string(kind), spans);
  std::printf("%zu oneshot services, each after the last, medians of %d runs\n", kLength, runs);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) { return flotilla::bench::run(argc > 1 ? std::atoi(argv[1]) : 15); }
