// What the benchmarks share: stamps written by the trivial service, the floor they are compared
// with, and the table that is printed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace flotilla::bench {

uint64_t now_ns();  // CLOCK_MONOTONIC

// A program under test.
std::string program(const std::string& name);
// The service of bench/logs (writer.c).
std::string writer_program();

// A temporary folder, removed with all it holds.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file of stamps, one slot of 8 bytes for each service, mapped here and written by the services.
class StampFile {
 public:
  StampFile(const std::string& folder, size_t slots);
  ~StampFile();
  StampFile(const StampFile&) = delete;
  StampFile& operator=(const StampFile&) = delete;
  const std::string& path() const { return path_; }
  // The trivial service, copied beside the file, where every namespace that sees the file sees it
  // too.
  std::string program() const { return path_ + "-service"; }
  // The stamp of a slot in nanoseconds, or 0 if it has not been written.
  uint64_t at(size_t slot) const;
  void clear();
  // Waits until every slot is written; the largest stamp. Ends the program with a sentence after 60
  // s.
  uint64_t wait_for_all() const;
  // Waits until the slot holds something else than `previous`.
  uint64_t wait_for_change(size_t slot, uint64_t previous) const;

 private:
  std::string path_;
  size_t slots_;
  volatile uint64_t* map_ = nullptr;
};

void write_file(const std::string& path, const std::string& content);

// The floor of every start: a loop of vfork and exec of the trivial service, nothing else. Returns
// the nanoseconds from the first vfork to the last service's first instruction.
// `cpu`, if given, gets what that cost: ours from the first vfork on and all of theirs.
uint64_t floor_start(size_t services, StampFile& stamps, bool captured, uint64_t* cpu = nullptr);
// The same, each service born in a v2 cgroup made for it: what every manager that tracks its
// services by cgroups pays. 0 where no cgroup can be made.
uint64_t floor_start_in_cgroups(size_t services, StampFile& stamps, bool captured,
                                uint64_t* cpu = nullptr);
// SIGKILL of a child to the first instruction of its successor in a bare waitid+vfork+exec loop.
std::vector<uint64_t> floor_restart(size_t times, StampFile& stamps);

// The same services one after the other, each waited for before the next: they exit by themselves.
void floor_chain(size_t services, StampFile& stamps);
// The same, each in a v2 cgroup that is made for it and removed after it. False where none can be
// made.
bool floor_chain_in_cgroups(size_t services, StampFile& stamps);
// SIGTERM to a child, waiting for its end, and starting the next one until its first instruction.
std::vector<uint64_t> floor_stop_and_start(size_t times, StampFile& stamps);

// Nanoseconds of CPU that a process has used so far, all threads of it; 0 if it is not there.
uint64_t cpu_of(pid_t pid);

double median_ms(std::vector<uint64_t> nanoseconds);
double percentile_ms(std::vector<uint64_t> nanoseconds, double share);

// Prints columns, aligned, with a line under the head.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string fixed(double value, int digits);
// What an operation takes, by whom, beside its floor.
struct Samples {
  std::string of;
  std::vector<uint64_t> nanoseconds;
};
void print_beside_floor(const std::vector<uint64_t>& floor, const std::vector<Samples>& all);
[[noreturn]] void die(const std::string& why);

}  // namespace flotilla::bench
