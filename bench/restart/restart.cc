// bench/restart: SIGKILL of a service with Restart=always and RestartSec=0 to the first instruction
// of its next instance, beside a bare loop of waitid, vfork and exec (the floor), and dinit where
// it is installed.   restart [TIMES]
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "harness/harness.h"
#include "harness/machine.h"
#include "harness/peers.h"

namespace flotilla::bench {
namespace {

// Of the service that `supervisor` keeps alive.
std::vector<uint64_t> kill_again_and_again(pid_t supervisor, const StampFile& stamps,
                                           size_t times) {
  uint64_t previous = stamps.wait_for_change(0, 0);
  std::vector<uint64_t> samples;
  for (size_t i = 0; i < times; ++i) {
    usleep(3000);  // let the service reach its pause and the manager its wait
    const pid_t service = find_descendant(supervisor, "stamps-service");
    if (service <= 0) die("the service is not there");
    const uint64_t at = now_ns();
    kill(service, SIGKILL);
    const uint64_t now = stamps.wait_for_change(0, previous);
    samples.push_back(now - at);
    previous = now;
  }
  return samples;
}

std::vector<uint64_t> peer_restart(PeerKind kind, size_t times) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), 1);
  PeerMachine machine(kind, PeerTask::kRestart, folder.path(), 1, stamps);
  machine.start();
  return kill_again_and_again(machine.pid(), stamps, times);
}

std::vector<uint64_t> flotilla_restart(size_t times) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), 1);
  Machine machine(
      folder.path(),
      {{"s.service",
        "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=" +
            stamps.program() + " " + stamps.path() +
            " 0\nStandardOutput=null\nRestart=always\nRestartSec=0\n"}});
  machine.start_flotilla();
  return kill_again_and_again(machine.pid(), stamps, times);
}

int run(size_t times) {
  std::vector<uint64_t> floor;
  {
    const ScratchFolder folder;
    StampFile stamps(folder.path(), 1);
    floor = floor_restart(times, stamps);
  }
  const std::vector<uint64_t> ours = flotilla_restart(times);
  std::printf("SIGKILL to the next instance's first instruction, %zu times\n", times);
  std::vector<Samples> all{{"flotilla", ours}};
  for (const PeerKind kind : installed_peers()) {
    if (can_do(kind, PeerTask::kRestart)) {
      all.push_back({to_string(kind), peer_restart(kind, times)});
    }
  }
  print_beside_floor(floor, all);
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 300);
}
