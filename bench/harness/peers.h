// Other supervisors, where they are in PATH: s6, runit and dinit, with the services that the
// benchmarks give to flotilla. What a peer cannot do is left out: s6 and runit know no order of
// starts, and wait a second before they start a service again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/harness.h"

namespace flotilla::bench {

enum class PeerKind : uint8_t { kS6, kRunit, kDinit };

std::string to_string(PeerKind kind);  // "s6"
std::vector<PeerKind> installed_peers();

// What the trivial services do: all at once and wait; each after the last one's end; or one that is
// started again whenever it dies.
enum class PeerTask : uint8_t { kBoot, kChain, kRestart };
bool can_do(PeerKind kind, PeerTask task) noexcept;

// A peer over a folder of its own; ended with everything it started.
class PeerMachine {
 public:
  // Requires: can_do(kind, task).
  PeerMachine(PeerKind kind, PeerTask task, std::string folder, size_t services,
              const StampFile& stamps);
  ~PeerMachine();
  PeerMachine(const PeerMachine&) = delete;
  PeerMachine& operator=(const PeerMachine&) = delete;

  uint64_t start();  // the time just before its exec
  pid_t pid() const { return pid_; }

 private:
  void write_run_scripts(size_t services, const StampFile& stamps) const;
  void write_dinit_services(PeerTask task, size_t services, const StampFile& stamps) const;

  PeerKind kind_;
  std::string folder_;
  std::vector<std::string> command_;
  pid_t pid_ = -1;
};

}  // namespace flotilla::bench
