// One machine for a benchmark: flotilla-init as a plain daemon over a folder, or a real systemd in
// namespaces of its own, with the given units; ended with everything it started.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace flotilla::bench {

struct UnitFile {
  std::string name;
  std::string text;
};

class Machine {
 public:
  // What bench.target, which is what boots, has to do with the units: it wants them, or only names
  // them, so that they are loaded and not started.
  enum class Wants : uint8_t { kStart, kLoadOnly };

  // Writes the units below `folder`. Its /run is in memory, as on every machine, where this program
  // may mount; then the thread that calls has a mount namespace of its own.
  Machine(std::string folder, const std::vector<UnitFile>& units, Wants wants = Wants::kStart);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Starts the manager; the time just before its exec, in nanoseconds of CLOCK_MONOTONIC.
  uint64_t start_flotilla();
  // The same where no cgroup v2 tree can be had, so that processes are tracked by best effort; 0
  // without the right to mount.
  uint64_t start_flotilla_without_cgroups();
  // The same for real systemd; 0 where it cannot be booted here (not root, not installed).
  uint64_t start_systemd();
  // Waits until the manager's socket is there.
  void wait_for_socket() const;
  // SIGTERM and wait (systemd's namespace is killed); nothing is left behind.
  void stop();

  pid_t pid() const { return pid_; }       // the keeper, or systemd's namespace
  std::vector<pid_t> descendants() const;  // of pid(), itself included
  const std::string& root() const { return root_; }

 private:
  void mount_run();
  bool hide_cgroups();

  std::string root_;
  pid_t pid_ = -1;
  bool systemd_ = false;
  bool has_run_in_memory_ = false;
  bool has_hidden_cgroups_ = false;
};

// What die() ends too: a daemon that stops its services itself, or a supervisor and all below it.
enum class EndBy : uint8_t { kTerm, kKillOfAll };
void end_at_exit(pid_t pid, EndBy how);
void forget_at_exit(pid_t pid);

// As many descriptors as may be: there are many services, several for each.
void raise_descriptor_limit();

// A process and all that came from it, parents first.
std::vector<pid_t> tree_of(pid_t root);

// The child of `parent` (or of one of its children) whose program is called `name`, or -1.
pid_t find_descendant(pid_t parent, const std::string& name);

}  // namespace flotilla::bench
