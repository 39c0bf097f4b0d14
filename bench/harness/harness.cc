#include "harness/harness.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace flotilla::bench {

uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
}

std::string program(const std::string& name) { return std::string(FLOTILLA_BIN "/") + name; }

std::string writer_program() { return FLOTILLA_BENCH_WRITER; }

void die(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::exit(1);
}

ScratchFolder::ScratchFolder() {
  std::string pattern = "/tmp/flotilla-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) die("cannot make a folder under /tmp");
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

StampFile::StampFile(const std::string& folder, size_t slots)
    : path_(folder + "/stamps"), slots_(slots) {
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(slots * 8)) != 0) die("cannot make " + path_);
  fchmod(fd, 0666);
  void* map = mmap(nullptr, slots * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map == MAP_FAILED) die("cannot map " + path_);
  map_ = static_cast<volatile uint64_t*>(map);
  std::filesystem::copy_file(FLOTILLA_BENCH_STAMP, program());
}

StampFile::~StampFile() { munmap(const_cast<uint64_t*>(map_), slots_ * 8); }

uint64_t StampFile::at(size_t slot) const { return map_[slot]; }

void StampFile::clear() {
  for (size_t slot = 0; slot < slots_; ++slot) map_[slot] = 0;
}

uint64_t StampFile::wait_for_all() const {
  const uint64_t deadline = now_ns() + 60'000'000'000U;
  uint64_t last = 0;
  for (size_t slot = 0; slot < slots_; ++slot) {
    while (map_[slot] == 0) {
      if (now_ns() > deadline)
        die("service " + std::to_string(slot) + " did not start within 60 s");
      usleep(200);
    }
    last = std::max(last, static_cast<uint64_t>(map_[slot]));
  }
  return last;
}

uint64_t StampFile::wait_for_change(size_t slot, uint64_t previous) const {
  const uint64_t deadline = now_ns() + 60'000'000'000U;
  while (map_[slot] == previous) {
    if (now_ns() > deadline)
      die("service " + std::to_string(slot) + " did not come back within 60 s");
    usleep(50);
  }
  return map_[slot];
}

void write_file(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

namespace {

extern "C" long flotilla_clone3(clone_args* args, size_t size, int (*child)(void*), void* context);

struct CgroupStart {
  const char* const* argv;
  const char* const* envp;
  int output;
};

int exec_in_cgroup(void* context) noexcept {
  const auto& start = *static_cast<const CgroupStart*>(context);
  if (start.output >= 0) dup2(start.output, 1);
  execve(start.argv[0], const_cast<char**>(start.argv), const_cast<char**>(start.envp));
  return 127;
}

// In a cgroup called `argv[2]`, the service's index.
pid_t start_in_cgroup(int root, const char* const* argv, int output) {
  static char stack[65536];
  if (mkdirat(root, argv[2], 0755) != 0) return -1;
  const int cgroup = openat(root, argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const char* envp[] = {"PATH=/usr/bin:/bin", nullptr};
  CgroupStart start{argv, envp, output};
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
  args.cgroup = static_cast<uint64_t>(cgroup);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<uintptr_t>(stack);
  args.stack_size = sizeof stack;
  const long pid = flotilla_clone3(&args, sizeof args, &exec_in_cgroup, &start);
  close(cgroup);
  return static_cast<pid_t>(pid);
}

pid_t bare_start(const char* program, const char* stamps, const char* index, int output) {
  const char* argv[] = {program, stamps, index, nullptr};
  const char* envp[] = {"PATH=/usr/bin:/bin", nullptr};
  const pid_t child = vfork();
  if (child == 0) {
    if (output >= 0) dup2(output, 1);
    execve(program, const_cast<char**>(argv), const_cast<char**>(envp));
    _exit(127);
  }
  return child;
}

}  // namespace

uint64_t cpu_of(pid_t pid) {
  clockid_t clock = 0;
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(used.tv_nsec);
}

// `cgroups`: the directory to make them in; -1: none are made.
uint64_t measure_floor(size_t services, StampFile& stamps, bool captured, int cgroups,
                       uint64_t* cpu) {
  const std::string trivial = stamps.program();
  std::vector<std::string> indexes;
  for (size_t i = 0; i < services; ++i) indexes.push_back(std::to_string(i));
  std::vector<pid_t> children(services);
  std::vector<int> pipes;
  pipes.reserve(services);
  stamps.clear();
  const uint64_t cpu_before = cpu_of(getpid());
  const uint64_t begin = now_ns();
  for (size_t i = 0; i < services; ++i) {
    int ends[2] = {-1, -1};
    if (captured && pipe2(ends, O_CLOEXEC) != 0) die("pipe2 failed: raise the limit of open files");
    const char* argv[] = {trivial.c_str(), stamps.path().c_str(), indexes[i].c_str(), nullptr};
    children[i] = cgroups < 0 ? bare_start(argv[0], argv[1], argv[2], ends[1])
                              : start_in_cgroup(cgroups, argv, ends[1]);
    if (children[i] < 0) die("a process could not be started in a cgroup of its own");
    if (captured) {
      close(ends[1]);
      pipes.push_back(ends[0]);
    }
  }
  const uint64_t cpu_of_loop = cpu_of(getpid()) - cpu_before;
  const uint64_t last = stamps.wait_for_all();
  if (cpu != nullptr) {
    *cpu = cpu_of_loop;
    for (const pid_t child : children) *cpu += cpu_of(child);
  }
  for (const pid_t child : children) kill(child, SIGKILL);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  for (const int fd : pipes) close(fd);
  if (cgroups >= 0) {
    for (const std::string& index : indexes) unlinkat(cgroups, index.c_str(), AT_REMOVEDIR);
  }
  return last - begin;
}

uint64_t floor_start(size_t services, StampFile& stamps, bool captured, uint64_t* cpu) {
  return measure_floor(services, stamps, captured, -1, cpu);
}

void floor_chain(size_t services, StampFile& stamps) {
  const std::string trivial = stamps.program();
  for (size_t i = 0; i < services; ++i) {
    const std::string index = std::to_string(i);
    const char* argv[] = {trivial.c_str(), stamps.path().c_str(), index.c_str(), "exit", nullptr};
    const char* envp[] = {"PATH=/usr/bin:/bin", nullptr};
    const pid_t child = vfork();
    if (child == 0) {
      execve(argv[0], const_cast<char**>(argv), const_cast<char**>(envp));
      _exit(127);
    }
    waitpid(child, nullptr, 0);
  }
}

std::vector<uint64_t> floor_stop_and_start(size_t times, StampFile& stamps) {
  const std::string trivial = stamps.program();
  std::vector<uint64_t> samples;
  pid_t child = bare_start(trivial.c_str(), stamps.path().c_str(), "0", -1);
  uint64_t previous = stamps.wait_for_change(0, 0);
  for (size_t i = 0; i < times; ++i) {
    const uint64_t begin = now_ns();
    kill(child, SIGTERM);
    waitpid(child, nullptr, 0);
    child = bare_start(trivial.c_str(), stamps.path().c_str(), "0", -1);
    samples.push_back(now_ns() - begin);
    previous = stamps.wait_for_change(0, previous);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return samples;
}

namespace {

// A v2 cgroup of the benchmark's own, removed at the end.
class OwnCgroup {
 public:
  OwnCgroup() {
    if (geteuid() != 0) return;
    for (const char* mount : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      if (access((std::string(mount) + "/cgroup.procs").c_str(), F_OK) != 0) continue;
      path_ = std::string(mount) + "/flotilla-bench-" + std::to_string(getpid());
      if (mkdir(path_.c_str(), 0755) != 0) continue;
      fd_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      return;
    }
  }
  ~OwnCgroup() {
    if (fd_ < 0) return;
    close(fd_);
    rmdir(path_.c_str());
  }
  OwnCgroup(const OwnCgroup&) = delete;
  OwnCgroup& operator=(const OwnCgroup&) = delete;
  int fd() const { return fd_; }  // -1: none could be made

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace

uint64_t floor_start_in_cgroups(size_t services, StampFile& stamps, bool captured, uint64_t* cpu) {
  const OwnCgroup own;
  return own.fd() < 0 ? 0 : measure_floor(services, stamps, captured, own.fd(), cpu);
}

bool floor_chain_in_cgroups(size_t services, StampFile& stamps) {
  const OwnCgroup own;
  if (own.fd() < 0) return false;
  const std::string trivial = stamps.program();
  for (size_t i = 0; i < services; ++i) {
    const std::string index = std::to_string(i);
    const char* argv[] = {trivial.c_str(), stamps.path().c_str(), index.c_str(), "exit", nullptr};
    const pid_t child = start_in_cgroup(own.fd(), argv, -1);
    if (child < 0) die("a process could not be started in a cgroup of its own");
    waitpid(child, nullptr, 0);
    unlinkat(own.fd(), argv[2], AT_REMOVEDIR);
  }
  return true;
}

std::vector<uint64_t> floor_restart(size_t times, StampFile& stamps) {
  const std::string trivial = stamps.program();
  stamps.clear();
  std::vector<uint64_t> samples;
  pid_t child = bare_start(trivial.c_str(), stamps.path().c_str(), "0", -1);
  uint64_t previous = stamps.wait_for_change(0, 0);
  for (size_t i = 0; i < times; ++i) {
    usleep(2000);  // let the service reach its pause
    // A supervisor waits in its loop while somebody else kills: the killer is a child of ours here.
    const pid_t killer = fork();
    if (killer == 0) {
      usleep(1000);
      const uint64_t at = now_ns();
      kill(child, SIGKILL);
      FILE* out = std::fopen((stamps.path() + ".kill").c_str(), "w");
      std::fprintf(out, "%llu", static_cast<unsigned long long>(at));
      std::fclose(out);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    child = bare_start(trivial.c_str(), stamps.path().c_str(), "0", -1);
    const uint64_t now = stamps.wait_for_change(0, previous);
    waitpid(killer, nullptr, 0);
    unsigned long long at = 0;
    std::ifstream(stamps.path() + ".kill") >> at;
    samples.push_back(now - at);
    previous = now;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return samples;
}

double percentile_ms(std::vector<uint64_t> nanoseconds, double share) {
  if (nanoseconds.empty()) die("no samples");
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const auto index = static_cast<size_t>(share * static_cast<double>(nanoseconds.size() - 1));
  return static_cast<double>(nanoseconds[index]) / 1e6;
}

double median_ms(std::vector<uint64_t> nanoseconds) {
  return percentile_ms(std::move(nanoseconds), 0.5);
}

void Table::print() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t i = 0; i < rows_[r].size(); ++i) {
      std::printf("%s%-*s", i == 0 ? "" : "  ", static_cast<int>(widths[i]), rows_[r][i].c_str());
    }
    std::printf("\n");
    if (r == 0) {
      for (size_t i = 0; i < widths.size(); ++i) {
        std::printf("%s%s", i == 0 ? "" : "  ", std::string(widths[i], '-').c_str());
      }
      std::printf("\n");
    }
  }
  std::fflush(stdout);
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void print_beside_floor(const std::vector<uint64_t>& floor, const std::vector<Samples>& all) {
  Table table({"", "median ms", "99 % ms", "x floor"});
  table.add({"floor", fixed(median_ms(floor), 3), fixed(percentile_ms(floor, 0.99), 3), "1.00"});
  for (const auto& [of, times] : all) {
    table.add({of, fixed(median_ms(times), 3), fixed(percentile_ms(times, 0.99), 3),
               fixed(median_ms(times) / median_ms(floor), 2)});
  }
  table.print();
}

}  // namespace flotilla::bench
