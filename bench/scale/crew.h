// Crew: many machines in a few processes. Each machine has what a fleetd has (a client of etcd with
// connections of its own, session, agent; some an engine) over a service manager that is a fake.
// The first process has the machines with an engine and no others.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "store/etcd_options.h"
#include "unit/fleet_file.h"

namespace flotilla::bench {

inline constexpr const char* kClusterPrefix = "/flotilla";

struct CrewOptions {
  size_t machines = 100;
  size_t engines = 3;    // machines that may lead
  size_t processes = 3;  // besides that of the engines
  std::chrono::seconds ttl{10};
  std::string folder{};  // for the agents' unit files
  store::EtcdOptions etcd{};
};

std::string machine_id(size_t machine);
// Of the units that the machines put themselves.
std::string unit_name(size_t number);
// `place`: the metadata that its machine must have; empty: any will do.
std::vector<unit::UnitOption> unit_options(size_t number, const std::string& place);

class Crew {
 public:
  // Forks: before the process has threads. Throws std::runtime_error with a sentence.
  explicit Crew(const CrewOptions& options);
  // Ends the processes.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // All machines together put `units` units below `prefix`, each its share one by one: as many
  // writers as there are machines. Where nobody listens to the prefix these are bare transactions.
  void put_units(const std::string& prefix, size_t units);
  // How many are put, since the last put_units().
  uint64_t done() const { return shared_->done; }
  uint64_t failed() const { return shared_->failed; }
  // CPU so far, in nanoseconds: of the machines with an engine, and of all others.
  uint64_t cpu_of_engines() const;
  uint64_t cpu_of_others() const;
  // The machine is gone, without a word to anybody. Requires: it has no engine.
  void lose(size_t machine);

 private:
  friend class CrewProcess;
  struct Shared {
    std::atomic<uint64_t> done;
    std::atomic<uint64_t> failed;
  };
  struct Order {
    char prefix[32];  // empty: lose the machine
    size_t number;    // of units, or the machine's
  };
  void send(size_t process, const Order& order) const;

  const CrewOptions options_;
  Shared* shared_ = nullptr;
  std::vector<pid_t> pids_;
  std::vector<int> ways_;
};

}  // namespace flotilla::bench
