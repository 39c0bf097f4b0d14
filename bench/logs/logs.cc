// bench/logs: how fast the output of a service gets into its log, with times and an index: from the
// writer's first line to its last one in the file. The floor is a bare loop that reads the same
// writer's pipe and writes what it read to a file.   logs [MEGABYTES]
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "harness/harness.h"
#include "harness/machine.h"

namespace flotilla::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kRuns = 5;

// Whether the newest segment ends with the writer's last line.
bool has_ended(const fs::path& logs) {
  std::error_code error;
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(logs, error)) {
    if (entry.path().extension() == ".log" && entry.path() > newest) newest = entry.path();
  }
  const int fd = open(newest.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char tail[4] = {};
  const off_t size = lseek(fd, 0, SEEK_END);
  const ssize_t got = size >= 4 ? pread(fd, tail, sizeof tail, size - 4) : 0;
  close(fd);
  return got == 4 && std::string_view(tail, 4) == "END\n";
}

uint64_t one_capture(size_t length, size_t total) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), 1);
  Machine machine(folder.path(),
                  {{"w.service",
                    "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n"
                    "SyslogLevelPrefix=no\nExecStart=" +
                        writer_program() + " " + stamps.path() + " " + std::to_string(length) +
                        " " + std::to_string(total) + "\n"}});
  machine.start_flotilla();
  const uint64_t begin = stamps.wait_for_all();
  const fs::path logs = folder.path() + "/var/log/flotilla/w.service";
  const uint64_t deadline = begin + 120'000'000'000U;
  while (!has_ended(logs)) {
    if (now_ns() > deadline) die("the last line does not come");
    usleep(300);
  }
  return now_ns() - begin;
}

uint64_t one_floor(size_t length, size_t total) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), 1);
  const std::string lengths = std::to_string(length), totals = std::to_string(total);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) die("pipe2 failed");
  const int file = open((folder.path() + "/copy").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    execl(writer_program().c_str(), "writer", stamps.path().c_str(), lengths.c_str(),
          totals.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  static char buffer[65536];
  ssize_t got = 0;
  while ((got = read(ends[0], buffer, sizeof buffer)) > 0) {
    if (write(file, buffer, static_cast<size_t>(got)) != got) die("the copy cannot be written");
  }
  const uint64_t end = now_ns();
  close(ends[0]);
  close(file);
  waitpid(child, nullptr, 0);
  return end - stamps.at(0);
}

int run(size_t megabytes) {
  const size_t total = megabytes << 20;
  Table table({"bytes a write", "floor MB/s", "flotilla MB/s", "x floor"});
  for (const size_t length : {size_t{100}, size_t{4000}}) {
    std::vector<uint64_t> floor, ours;
    for (int i = 0; i < kRuns; ++i) {
      floor.push_back(one_floor(length, total));
      ours.push_back(one_capture(length, total));
    }
    const auto rate = [&](double ms) { return static_cast<double>(total) / 1000.0 / ms; };
    table.add({std::to_string(length), fixed(rate(median_ms(floor)), 0),
               fixed(rate(median_ms(ours)), 0), fixed(median_ms(floor) / median_ms(ours), 2)});
  }
  std::printf("%zu MiB of lines into a log with times and an index, medians of %d runs\n",
              megabytes, kRuns);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 64);
}
