// A KeeperPort that is no process: it holds names, and remembers what it was told.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "init/keeper_link.h"

namespace flotilla::init {

class FakeKeeper final : public KeeperPort {
 public:
  base::Status store(std::span<const KeptFd> fds) override {
    for (const KeptFd& kept : fds) held.emplace(kept.name, kept.fd);
    return {};
  }
  base::Status remove(std::string_view name) override {
    held.erase(std::string(name));
    return {};
  }
  base::Status remove_all() override {
    held.clear();
    return {};
  }
  void acknowledge(uint64_t sequence) override { acknowledged = sequence; }
  base::Status request_shutdown(int exit_code, MachineEnd) override {
    shutdown = exit_code;
    return {};
  }
  base::Status request_reexec() override {
    reexec = true;
    return {};
  }

  std::multimap<std::string, int> held;  // name to the caller's descriptor
  uint64_t acknowledged = 0;
  std::optional<int> shutdown;
  bool reexec = false;
};

}  // namespace flotilla::init
