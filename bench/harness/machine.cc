#include "harness/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "harness/harness.h"

namespace flotilla::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char kCgroups[] = "/sys/fs/cgroup";

// pid -> parent of every process.
std::map<pid_t, pid_t> parents() {
  std::map<pid_t, pid_t> result;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    const size_t close = line.rfind(')');
    if (close == std::string::npos) continue;
    std::istringstream rest(line.substr(close + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    result[std::stoi(name)] = parent;
  }
  return result;
}

}  // namespace

std::vector<pid_t> tree_of(pid_t root) {
  const auto all = parents();
  std::vector<pid_t> result{root};
  for (size_t i = 0; i < result.size(); ++i) {
    for (const auto& [pid, parent] : all) {
      if (parent == result[i]) result.push_back(pid);
    }
  }
  return result;
}

namespace {

std::map<pid_t, EndBy>& running() {
  static std::map<pid_t, EndBy> machines;
  return machines;
}

void end_all() {
  for (const auto& [pid, how] : running()) {
    if (how == EndBy::kTerm) kill(pid, SIGTERM);
    if (how != EndBy::kKillOfAll) continue;
    for (const pid_t process : tree_of(pid)) kill(process, SIGKILL);
  }
}

}  // namespace

void end_at_exit(pid_t pid, EndBy how) {
  running()[pid] = how;
  static const int registered = std::atexit(end_all);
  static_cast<void>(registered);
}

void forget_at_exit(pid_t pid) { running().erase(pid); }

void raise_descriptor_limit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

Machine::Machine(std::string folder, const std::vector<UnitFile>& units, Wants wants)
    : root_(std::move(folder)) {
  raise_descriptor_limit();
  mount_run();
  const std::string system = root_ + "/etc/systemd/system/";
  std::string wanted = "[Unit]\nDescription=Benchmark\nDefaultDependencies=no\n";
  wanted += wants == Wants::kStart ? "Wants=" : "After=";
  for (const UnitFile& unit : units) {
    write_file(system + unit.name, unit.text);
    wanted += unit.name + " ";
  }
  write_file(system + "bench.target", wanted + "\n");
}

Machine::~Machine() {
  stop();
  if (has_hidden_cgroups_) umount2(kCgroups, MNT_DETACH);
  if (has_run_in_memory_) umount2((root_ + "/run").c_str(), MNT_DETACH);
}

void Machine::mount_run() {
  const std::string run = root_ + "/run";
  fs::create_directories(run);
  has_run_in_memory_ = unshare(CLONE_NEWNS) == 0 &&
                       mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       mount("tmpfs", run.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0;
}

// Covered by an empty tree that nobody can write to.
bool Machine::hide_cgroups() {
  if (!has_run_in_memory_) return false;  // the mount namespace is not our own
  has_hidden_cgroups_ = mount("tmpfs", kCgroups, "tmpfs", MS_RDONLY, "mode=755") == 0;
  return has_hidden_cgroups_;
}

uint64_t Machine::start_flotilla_without_cgroups() { return hide_cgroups() ? start_flotilla() : 0; }

uint64_t Machine::start_flotilla() {
  const std::string init = program("flotilla-init");
  const std::string root_option = "--root=" + root_;
  const uint64_t begin = now_ns();
  pid_ = vfork();
  if (pid_ == 0) {
    execl(init.c_str(), init.c_str(), root_option.c_str(), "--unit=bench.target", "--log-level=err",
          nullptr);
    _exit(127);
  }
  end_at_exit(pid_, EndBy::kTerm);
  return begin;
}

uint64_t Machine::start_systemd() {
  if (geteuid() != 0 || access("/lib/systemd/systemd", X_OK) != 0) return 0;
  const std::string script = FLOTILLA_BENCH_DIR "/harness/systemd-namespace";
  systemd_ = true;
  pid_ = fork();
  if (pid_ == 0) {
    const int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(script.c_str(), script.c_str(), root_.c_str(), nullptr);
    _exit(127);
  }
  // The script writes the time of systemd's exec into the folder, by the stamp program.
  const std::string stamp = root_ + "/exec-stamp";
  const uint64_t deadline = now_ns() + 20'000'000'000U;
  while (now_ns() < deadline) {
    std::ifstream file(stamp);
    uint64_t at = 0;
    if (file >> at) return at;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return 0;
    }
    usleep(500);
  }
  return 0;
}

void Machine::wait_for_socket() const {
  const std::string socket = root_ + "/run/systemd/private";
  const uint64_t deadline = now_ns() + 60'000'000'000U;
  while (access(socket.c_str(), F_OK) != 0) {
    if (now_ns() > deadline) die("the manager's socket does not come");
    usleep(100);
  }
}

void Machine::stop() {
  if (pid_ <= 0) return;
  if (systemd_) {
    // The end of PID 1 of a pid namespace ends every process in it; the script then tidies up and
    // ends.
    const pid_t first = find_descendant(pid_, "systemd");
    kill(first > 0 ? first : pid_, SIGKILL);
  } else {
    kill(pid_, SIGTERM);
  }
  waitpid(pid_, nullptr, 0);
  forget_at_exit(pid_);
  pid_ = -1;
}

std::vector<pid_t> Machine::descendants() const { return tree_of(pid_); }

pid_t find_descendant(pid_t parent, const std::string& name) {
  for (const pid_t pid : tree_of(parent)) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    std::string first;
    std::getline(file, first, '\0');
    if (fs::path(first).filename() == name) return pid;
  }
  return -1;
}

}  // namespace flotilla::bench
