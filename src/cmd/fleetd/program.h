// Program: fleetd from its start to its end. It runs one Daemon after the other: at SIGHUP the
// configuration is read anew, and if it can be used the daemon ends and the next one takes over
// from the state directory, on the same sockets and connections, without a service being touched.
// Who asks in between waits until the next one serves.
#pragma once

#include <functional>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "cmd/fleetd/config.h"
#include "cmd/fleetd/daemon.h"
#include "cmd/fleetd/listeners.h"

namespace flotilla::fleetd {

class Program {
 public:
  using LoadConfig = std::function<base::Result<Config>()>;
  explicit Program(LoadConfig load) : load_(std::move(load)) {}

  // Blocks the signals that mean something to fleetd, in this thread and those that it makes.
  // Returns the exit code.
  int run();

 private:
  int run_daemons();
  base::Result<Config> load() const;
  void on_signals(Daemon& daemon);
  void reload(Daemon& daemon);

  LoadConfig load_;
  Listeners listeners_;
  base::Fd signals_;
  Config config_;
  std::optional<Config> next_;                // read at SIGHUP; for the daemon after this one
  std::vector<api::Connection> connections_;  // between two daemons
  std::optional<Config> before_;              // to go back to where a new one cannot be used
};

}  // namespace flotilla::fleetd
