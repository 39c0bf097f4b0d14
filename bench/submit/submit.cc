// bench/submit: PUT of a unit with desiredState launched to the first instruction of its process,
// through fleetd and its SQLite store. The floor is what cannot be saved: one fsync of a file in
// the same folder plus a bare vfork and exec.   submit [TIMES]
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "harness/fleet.h"
#include "harness/harness.h"
#include "harness/machine.h"

namespace flotilla::bench {
namespace {

uint64_t one_sync(const std::string& folder) {
  const int fd = open((folder + "/sync").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string block(4096, 'x');
  const uint64_t begin = now_ns();
  if (write(fd, block.data(), block.size()) < 0 || fsync(fd) != 0) die("cannot write to " + folder);
  const uint64_t end = now_ns();
  close(fd);
  return end - begin;
}

int run(size_t times) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), times);
  Machine machine(folder.path(), {fleetd_unit(folder.path())});
  machine.start_flotilla();
  wait_for_api(folder.path());

  std::vector<uint64_t> floor;
  std::vector<uint64_t> ours;
  for (size_t i = 0; i < times; ++i) {
    const ScratchFolder other;
    StampFile stamp(other.path(), 1);
    floor.push_back(one_sync(folder.path()) + floor_start(1, stamp, false));
    const std::string body =
        R"({"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":")" +
        stamps.program() + " " + stamps.path() + " " + std::to_string(i) + R"("}]})";
    const uint64_t begin = now_ns();
    const int status =
        put(folder.path(), "/fleet/v1/units/u" + std::to_string(i) + ".service", body);
    if (status != 201) die("PUT answered " + std::to_string(status));
    ours.push_back(stamps.wait_for_change(i, 0) - begin);
  }
  Table table({"", "median ms", "99 % ms", "x floor"});
  table.add({"floor: fsync + vfork + exec", fixed(median_ms(floor), 2),
             fixed(percentile_ms(floor, 0.99), 2), "1.00"});
  table.add({"flotilla", fixed(median_ms(ours), 2), fixed(percentile_ms(ours, 0.99), 2),
             fixed(median_ms(ours) / median_ms(floor), 2)});
  std::printf("PUT with desiredState launched to the process's first instruction, %zu units\n",
              times);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 200);
}
