// bench/control: a service is stopped and started again over D-Bus, on a connection that is kept,
// until both jobs have ended, beside SIGTERM, wait, vfork and exec by hand (the floor).
// control [TIMES]
#include <cstdio>
#include <cstdlib>

#include "harness/client.h"
#include "harness/harness.h"
#include "harness/machine.h"

namespace flotilla::bench {
namespace {

std::vector<uint64_t> stop_and_start(size_t times) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), 1);
  Machine machine(folder.path(),
                  {{"s.service",
                    "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\n"
                    "StandardOutput=null\nExecStart=" +
                        stamps.program() + " " + stamps.path() + " 0\n"}});
  machine.start_flotilla();
  uint64_t previous = stamps.wait_for_change(0, 0);
  Client client(folder.path());
  std::vector<uint64_t> samples;
  for (size_t i = 0; i < times; ++i) {
    const uint64_t begin = now_ns();
    client.stop("s.service");
    client.start("s.service");
    samples.push_back(now_ns() - begin);
    previous = stamps.wait_for_change(0, previous);
  }
  return samples;
}

int run(size_t times) {
  std::vector<uint64_t> floor;
  {
    const ScratchFolder folder;
    StampFile stamps(folder.path(), 1);
    floor = floor_stop_and_start(times, stamps);
  }
  const std::vector<uint64_t> ours = stop_and_start(times);
  std::printf("stop and start of a service over D-Bus, %zu times\n", times);
  print_beside_floor(floor, {{"flotilla", ours}});
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 300);
}
