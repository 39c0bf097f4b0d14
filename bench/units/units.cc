// bench/units: a machine with 10,000 unit files of which the boot target names all and starts none:
// exec of flotilla-init to an answer from it, less the same with no files; and ListUnits. The floor
// of loading is to list the directory and read every file once; of ListUnits, to send as many bytes
// through a socket.   units [FILES]
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "harness/client.h"
#include "harness/harness.h"
#include "harness/machine.h"

namespace flotilla::bench {
namespace {

constexpr int kRuns = 5;
constexpr int kLists = 15;

std::vector<UnitFile> idle_services(size_t count) {
  std::vector<UnitFile> units;
  for (size_t i = 0; i < count; ++i) {
    units.push_back({"service-" + std::to_string(i) + ".service",
                     "[Unit]\nDescription=Service number " + std::to_string(i) +
                         "\nAfter=network.target\n[Service]\nExecStart=/bin/sleep 1000\n"
                         "Restart=on-failure\n[Install]\nWantedBy=multi-user.target\n"});
  }
  return units;
}

uint64_t floor_read(const std::string& folder) {
  const uint64_t begin = now_ns();
  DIR* const directory = opendir((folder + "/etc/systemd/system").c_str());
  if (directory == nullptr) die("cannot list the unit files");
  char buffer[4096];
  while (const dirent* entry = readdir(directory)) {
    const int fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
    struct stat found {};
    fstat(fd, &found);
    while (S_ISREG(found.st_mode) && read(fd, buffer, sizeof buffer) > 0) continue;
    close(fd);
  }
  closedir(directory);
  return now_ns() - begin;
}

// What an answer about this many units takes on its way: about 300 bytes for each.
uint64_t floor_send(size_t units) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair failed");
  const size_t total = units * 300;
  const uint64_t begin = now_ns();
  const pid_t child = fork();
  char buffer[65536] = {};
  if (child == 0) {
    for (size_t sent = 0; sent < total; sent += sizeof buffer) {
      if (write(ends[1], buffer, sizeof buffer) < 0) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  while (read(ends[0], buffer, sizeof buffer) > 0) continue;
  const uint64_t time = now_ns() - begin;
  waitpid(child, nullptr, 0);
  close(ends[0]);
  return time;
}

struct Sample {
  uint64_t floor = 0;
  uint64_t until_answer = 0;
  size_t known = 0;
  std::vector<uint64_t> lists;
};

Sample measure(size_t files) {
  Sample sample;
  const ScratchFolder folder;
  Machine machine(folder.path(), idle_services(files), Machine::Wants::kLoadOnly);
  sample.floor = floor_read(folder.path());
  const uint64_t begin = machine.start_flotilla();
  machine.wait_for_socket();
  Client client(folder.path());
  sample.known = client.list_units();
  sample.until_answer = now_ns() - begin;
  for (int i = 0; i < kLists; ++i) {
    const uint64_t at = now_ns();
    client.list_units();
    sample.lists.push_back(now_ns() - at);
  }
  return sample;
}

int run(size_t files) {
  std::vector<uint64_t> empty, loaded, floor, lists, sends;
  size_t known = 0;
  for (int i = 0; i < kRuns; ++i) {
    empty.push_back(measure(0).until_answer);
    const Sample sample = measure(files);
    floor.push_back(sample.floor);
    loaded.push_back(sample.until_answer - sample.lists.front());
    lists.insert(lists.end(), sample.lists.begin(), sample.lists.end());
    sends.push_back(floor_send(sample.known));
    known = sample.known;
  }
  const double load = median_ms(loaded) - median_ms(empty);
  Table table({"", "floor ms", "flotilla ms", "x floor"});
  table.add({"load the files", fixed(median_ms(floor), 1), fixed(load, 1),
             fixed(load / median_ms(floor), 2)});
  table.add({"ListUnits", fixed(median_ms(sends), 1), fixed(median_ms(lists), 1),
             fixed(median_ms(lists) / median_ms(sends), 2)});
  std::printf("%zu unit files, %zu units known, medians of %d runs\n", files, known, kRuns);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 10000);
}
