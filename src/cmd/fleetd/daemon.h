// Daemon: puts the parts of fleetd together and holds them. The order of the members is the order
// in which they need each other.
#pragma once

#include <memory>

#include "agent/agent_manager.h"
#include "api/api.h"
#include "api/peer_client.h"
#include "api/server.h"
#include "api/tls_front.h"
#include "base/fd.h"
#include "bus/systemd1_client.h"
#include "cmd/fleetd/config.h"
#include "cmd/fleetd/drain.h"
#include "cmd/fleetd/listeners.h"
#include "cmd/fleetd/local_inspector.h"
#include "engine/engine_manager.h"
#include "overlord/executor.h"
#include "overlord/loop.h"
#include "overlord/state.h"
#include "overlord/state_engine.h"
#include "registry/cluster_view.h"
#include "registry/format_watch.h"
#include "registry/machine_session.h"
#include "registry/registry.h"
#include "registry/view_on_demand.h"
#include "store/gated_store.h"
#include "store/metered_store.h"

namespace flotilla::fleetd {

class Daemon {
 public:
  // Takes the state directory, opens the store and the sockets. Blocks. Requires: `loop` and
  // `listeners` outlive it.
  static base::Result<std::unique_ptr<Daemon>> create(overlord::AsioLoop& loop, Config config,
                                                      Listeners& listeners);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Runs until end(). Services run on. Returns the exit code.
  int run();
  // On the loop's thread.
  void end(int exit_code);
  // As end(0), but lets another machine schedule at once instead of when the lease has ended, and
  // leaves the lease with all of its time to the daemon that comes next. Where the configuration
  // says so, the machine's units go elsewhere first; a second call does not wait for that.
  void end_orderly();
  // To standard output what fleet prints for SIGUSR1, to the log a few counts.
  void print_state() const;

  // Begins no request any more and ends when none is under way; take_connections() then has those
  // that the next daemon serves.
  void hand_over();
  std::vector<api::Connection> take_connections() { return server_->take_connections(); }
  // Serves these connections and all others only when it can answer, so that nobody is told of the
  // change; after `limit` it answers with what it has. Before run().
  void take_over(std::vector<api::Connection> connections, base::Micros limit);

 private:
  Daemon(overlord::AsioLoop& loop, Config config, base::Fd lock);
  base::Status open(registry::Machine self, Listeners& listeners);
  base::Status open_api(Listeners& listeners);
  void open_registry();
  void join_cluster();
  void resign_and_end();
  void on_session_change();
  void on_format_change();
  bool is_available() const { return session_->is_registered(); }
  void resume_if_available();
  std::string metrics() const;
  std::vector<api::Eligibility> explain(const std::string& unit) const;

  overlord::AsioLoop& loop_;
  const Config config_;
  const base::Fd lock_;
  overlord::ThreadPool executor_;
  std::unique_ptr<overlord::State> state_;
  std::unique_ptr<store::MeteredStore> store_;
  std::unique_ptr<store::GatedStore> gate_;  // shut while the store is of a newer version
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<registry::ClusterView> view_;
  std::unique_ptr<registry::ViewOnDemand> on_demand_;
  std::unique_ptr<registry::MachineSession> session_;
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<bus::Systemd1Client> unit_manager_;
  overlord::StateEngine state_engine_;
  std::unique_ptr<engine::EngineManager> engine_manager_;
  std::unique_ptr<registry::FormatWatch> format_watch_;  // where others may write the store
  std::unique_ptr<agent::AgentManager> agent_manager_;
  std::unique_ptr<LocalInspector> inspector_;
  std::unique_ptr<api::PeerClient> peers_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::Server> server_;
  std::unique_ptr<api::TlsFront> tls_front_;  // if TLS is configured
  base::RegistrationPtr retry_;
  base::RegistrationPtr take_over_limit_;  // while the server is paused
  base::RegistrationPtr end_limit_;
  base::RegistrationPtr away_limit_;
  bool has_said_ready_ = false;
  bool was_registered_ = false;
  bool is_draining_ = false;
  int exit_code_ = 0;
};

}  // namespace flotilla::fleetd
