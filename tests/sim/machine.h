// Machine: one machine of the simulated cluster: its service manager (a fake), its disk, and a
// fleetd made of the objects that ship.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "agent/agent_manager.h"
#include "bus/fake_unit_manager.h"
#include "engine/engine_manager.h"
#include "overlord/executor.h"
#include "overlord/state.h"
#include "overlord/state_engine.h"
#include "registry/cluster_view.h"
#include "registry/machine_session.h"
#include "registry/registry.h"
#include "sim/lease_service.h"
#include "sim/link.h"
#include "sim/machine_loop.h"

namespace flotilla::sim {

inline constexpr const char* kPrefix = "/flotilla";
// Moved when it fails, as it does on some machines, so often.
inline constexpr const char* kFrail = "frail11.service";
inline constexpr uint32_t kFrailMoves = 2;
// What a machine has for units that ask for it.
inline constexpr uint32_t kCpus = 4;

struct MachineOptions {
  std::string id;
  std::string state_id;  // empty: made from the id; two machines of one id have two
  std::string public_ip;
  registry::Metadata metadata;
  bool disable_engine = false;
  bool has_stopped_boottime = false;  // faults of guards
  bool has_no_storm_guard = false;
  bool has_no_lease_service = false;
  std::chrono::seconds ttl{6};
};

// The objects of one run of fleetd, put together as the program does it.
class Daemon {
 public:
  Daemon(Link::Parts parts, base::FakeEventLoop& world, bus::UnitManager& manager,
         const MachineOptions& options, const std::string& directory, const std::string& boot_id,
         const std::string& nonce, std::function<void()> on_refused_call);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const std::function<void()> on_refused;  // another machine has this one's id
  const base::MonotonicTime started_at;    // of the world
  MachineLoop loop;
  Link link;
  overlord::InlineExecutor executor;
  registry::Registry registry;
  registry::ClusterView view;
  registry::MachineSession session;
  overlord::StateEngine state_engine;
  std::unique_ptr<overlord::State> state;
  std::unique_ptr<engine::EngineManager> engine;
  std::unique_ptr<agent::AgentManager> agent;
  base::RegistrationPtr end_limit;

 private:
  void open_registry();
  base::RegistrationPtr retry_;
};

class Machine final : private bus::UnitManagerListener {
 public:
  // `directory`: its disk. `on_unit_changed` is told which unit may run now or not any more.
  Machine(Link::Parts parts, base::FakeEventLoop& world, MachineOptions options,
          std::string directory, std::function<void(const std::string&)> on_unit_changed);
  ~Machine() override;

  void power_on();
  void power_off();  // at once; what is on the disk stays, what is under /run does not
  void start_daemon();
  void kill_daemon();
  void stop_daemon();  // SIGTERM: the lead is handed over first
  void pause();
  void resume();

  bool is_on() const { return manager_ != nullptr; }
  bool is_paused() const { return manager_loop_ && manager_loop_->is_paused(); }
  Daemon* daemon() { return daemon_.get(); }
  const Daemon* daemon() const { return daemon_.get(); }
  bus::FakeUnitManager* manager() { return manager_.get(); }
  const MachineOptions& options() const { return options_; }
  const std::string& id() const { return options_.id; }
  std::string text_of(const std::string& unit) const;
  // Units that were ever told to have changed here since the machine is on.
  const std::set<std::string>& touched_units() const { return touched_; }
  bool runs(const std::string& unit) const;
  // For faults of the network.
  void cut();
  void mend();
  int refusals() const { return refusals_; }
  // What follows may come late to the daemon, or all at once: since when. Kept while disturbances
  // follow each other.
  void disturb();
  base::MonotonicTime disturbed_from() const { return disturbed_from_; }

 private:
  void end_refused();
  std::string boot_id() const { return "boot-" + options_.id + "-" + std::to_string(boots_); }
  void say(const char* what) const;  // for who plays a seed again
  void on_connected() override {}
  void on_disconnected(const base::Error&) override {}
  void on_unit_changed(const bus::UnitChange& change) override;

  Link::Parts parts_;
  base::FakeEventLoop& world_;
  const MachineOptions options_;
  const std::string directory_;
  const std::function<void(const std::string&)> tell_;
  int boots_ = 0;
  int starts_ = 0;
  int refusals_ = 0;
  base::MonotonicTime disturbed_from_;
  base::MonotonicTime last_disturbed_;
  std::set<std::string> touched_;
  std::unique_ptr<MachineLoop> manager_loop_;
  std::unique_ptr<bus::FakeUnitManager> manager_;
  std::unique_ptr<LeaseService> lease_service_;
  base::RegistrationPtr subscription_;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace flotilla::sim
