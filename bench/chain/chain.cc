// bench/chain: a chain of 100 oneshot services, each ordered after the last, from the first one's
// first instruction to the last one's. Where no cgroup v2 tree can be had it stands beside a bare
// loop of vfork, exec and wait (its floor), and so does dinit where it is installed; with cgroups,
// beside the same loop with a cgroup made for each and removed after it. chain [RUNS]
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

enum class Cgroups : uint8_t { kNone, kOneEach };

uint64_t one_chain(Cgroups cgroups) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), kLength);
  Machine machine(folder.path(), chain_of_services(stamps));
  const uint64_t begin = cgroups == Cgroups::kNone ? machine.start_flotilla_without_cgroups()
                                                   : machine.start_flotilla();
  return begin == 0 ? 0 : span_of(stamps);
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
  std::vector<uint64_t> floor, bare, floor_in_cgroups, in_cgroups;
  std::map<PeerKind, std::vector<uint64_t>> others;
  const auto add = [](std::vector<uint64_t>& spans, uint64_t span) {
    if (span != 0) spans.push_back(span);
  };
  for (int i = 0; i < runs; ++i) {
    floor.push_back(one_floor());
    add(bare, one_chain(Cgroups::kNone));
    add(floor_in_cgroups, one_floor_in_cgroups());
    // Without a tree to make them in this would be the chain before once more.
    if (!floor_in_cgroups.empty()) add(in_cgroups, one_chain(Cgroups::kOneEach));
    for (const PeerKind kind : installed_peers()) {
      if (can_do(kind, PeerTask::kChain)) others[kind].push_back(one_peer_chain(kind));
    }
  }
  Table table({"", "cgroups", "floor ms", "median ms", "x floor"});
  const auto row = [&](const std::string& name, const std::vector<uint64_t>& spans,
                       const std::vector<uint64_t>& below, const char* cgroups) {
    if (spans.empty() || below.empty()) return;
    table.add({name, cgroups, fixed(median_ms(below), 2), fixed(median_ms(spans), 2),
               fixed(median_ms(spans) / median_ms(below), 2)});
  };
  row("flotilla", bare, floor, "none");
  row("flotilla", in_cgroups, floor_in_cgroups, "one each");
  for (const auto& [kind, spans] : others) row(to_string(kind), spans, floor, "none");
  std::printf("%zu oneshot services, each after the last, medians of %d runs\n", kLength, runs);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) { return flotilla::bench::run(argc > 1 ? std::atoi(argv[1]) : 15); }
