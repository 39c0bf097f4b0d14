#include "cmd/fleetd/daemon.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "cmd/fleetd/identity.h"
#include "cmd/fleetd/metrics.h"
#include "cmd/fleetd/service_notify.h"
#include "cmd/fleetd/state_dump.h"
#include "engine/rebalance.h"
#include "store/open_store.h"

namespace flotilla::fleetd {

namespace {

constexpr const char* kDefaultListen = "/var/run/fleet.sock";
constexpr unsigned kThreads = 2;
constexpr base::Micros kRetry = std::chrono::seconds(1);
// How long a store may take that answers, but does not let this machine in.
constexpr base::Micros kStorePatience = std::chrono::seconds(15);
constexpr base::Micros kEndLimit = std::chrono::seconds(2);

// Programs of ours stand in one folder. Of a file that was replaced meanwhile, the new one is used.
std::string program_beside(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const std::filesystem::path program = self.parent_path() / name;
  if (std::filesystem::exists(program, error)) return program.string();
  SPDLOG_WARN("{} is missing: units with OnPartition=stop are not stopped where fleetd is dead",
              program.string());
  return {};
}

}  // namespace

base::Result<std::unique_ptr<Daemon>> Daemon::create(overlord::AsioLoop& loop, Config config,
                                                     Listeners& listeners) {
  FLOTILLA_ASSIGN(base::Fd lock, lock_state_dir(config.state_dir));
  FLOTILLA_ASSIGN(registry::Machine self, make_machine(config));
  std::unique_ptr<Daemon> daemon(new Daemon(loop, std::move(config), std::move(lock)));
  FLOTILLA_TRY(daemon->open(std::move(self), listeners));
  return daemon;
}

Daemon::Daemon(overlord::AsioLoop& loop, Config config, base::Fd lock)
    : loop_(loop),
      config_(std::move(config)),
      lock_(std::move(lock)),
      executor_(loop, kThreads),
      state_engine_(loop) {}

Daemon::~Daemon() { state_engine_.stop(); }

base::Status Daemon::open(registry::Machine self, Listeners& open_sockets) {
  std::string address = config_.registry;
  if (address.empty()) {
    address = "sqlite:" + config_.state_dir + "/fleet.db";
    SPDLOG_INFO("No registry is configured: this machine runs alone, on {}", address);
  }
  FLOTILLA_ASSIGN(state_,
                  overlord::State::open(loop_, executor_, config_.state_dir + "/state.journal"));
  FLOTILLA_ASSIGN(std::unique_ptr<store::Store> opened,
                  store::open_store(address, loop_, config_.etcd));
  store_ = std::make_unique<store::MeteredStore>(std::move(opened), loop_);
  gate_ = std::make_unique<store::GatedStore>(*store_, loop_);
  // A store of this machine's own has nobody to share it with.
  const bool is_alone = store::is_for_one_daemon(address);
  const std::string prefix(is_alone ? registry::kDefaultPrefix : config_.key_prefix);
  registry_ = std::make_unique<registry::Registry>(*gate_, prefix);
  view_ = std::make_unique<registry::ClusterView>(*gate_, loop_, prefix);
  on_demand_ = std::make_unique<registry::ViewOnDemand>(*view_, loop_);
  registry::SessionOptions session_options;
  session_options.ttl = config_.agent_ttl;
  session_options.sole_daemon = is_alone;
  const std::string boot_id = self.boot_id;
  session_ = std::make_unique<registry::MachineSession>(*gate_, loop_, prefix, std::move(self),
                                                        session_options);
  drain_ = std::make_unique<Drain>(loop_, *registry_, *view_, *state_, session_->self().id, [this] {
    const auto differences = agent_manager_->differences();
    return std::all_of(differences.begin(), differences.end(), [](const auto& item) {
      return item.second.wanted != registry::TargetState::kInactive;
    });
  });
  bus::Systemd1ClientOptions client;
  client.connection.socket_path = config_.manager_socket;
  unit_manager_ = std::make_unique<bus::Systemd1Client>(loop_, client);
  if (!config_.disable_engine) {
    engine_manager_ = std::make_unique<engine::EngineManager>(*gate_, loop_, prefix, *session_,
                                                              *view_, state_engine_);
    state_engine_.add(*engine_manager_);
  }
  agent_manager_ = std::make_unique<agent::AgentManager>(
      *registry_, loop_, *session_, *unit_manager_, *state_, state_engine_,
      agent::AgentOptions{config_.units_directory, boot_id, program_beside("fleet-lease"),
                          config_.manager_socket, config_.state_dir + "/last-schedule",
                          &executor_});
  state_engine_.add(*agent_manager_);

  if (!is_alone) {
    format_watch_ = std::make_unique<registry::FormatWatch>(*store_, loop_, *gate_, *registry_);
  }
  inspector_ = std::make_unique<LocalInspector>(loop_, *unit_manager_, config_.log_directory);
  FLOTILLA_TRY(open_api(open_sockets));
  session_->on_change([this] { on_session_change(); });
  return {};
}

base::Status Daemon::open_api(Listeners& open_sockets) {
  std::vector<std::string> listen = config_.listen;
  if (listen.empty()) listen.emplace_back(kDefaultListen);
  std::shared_ptr<const tls::Context> as_server;
  std::shared_ptr<const tls::Context> as_client;
  if (!config_.api_tls.cert_file.empty()) {
    FLOTILLA_ASSIGN(as_server, tls::Context::for_server(config_.api_tls));
    FLOTILLA_ASSIGN(as_client, tls::Context::for_client(config_.api_tls));
  }
  FLOTILLA_ASSIGN(std::vector<ListeningSocket> sockets, open_sockets.take(listen));
  std::vector<base::Fd> plain;
  std::vector<base::Fd> encrypted;
  for (ListeningSocket& socket : sockets) {
    const bool is_tls = socket.is_tls || (socket.is_inherited_tcp && as_server);
    if (!is_tls && !socket.far_address.empty()) {
      SPDLOG_WARN("The API is open to whoever reaches {}: there is no api_certfile= for TLS",
                  socket.far_address);
    }
    (is_tls ? encrypted : plain).push_back(std::move(socket.fd));
  }
  peers_ = std::make_unique<api::PeerClient>(loop_, session_->self().id, std::move(as_client));
  api_ = std::make_unique<api::Api>(api::ApiParts{
      *registry_, *view_, *inspector_, session_->self().id, [this] { return is_available(); },
      config_.token_limit, [this](const std::string& unit) { return explain(unit); },
      [this] { return metrics(); }, peers_.get(),
      [this] { return engine::plan_rebalance(view_->cluster()); }, on_demand_.get(),
      [this] { return gate_->why(); }});
  server_ = std::make_unique<api::Server>(loop_, *api_, std::move(plain));
  if (!encrypted.empty()) {
    tls_front_ = std::make_unique<api::TlsFront>(loop_, *server_, std::move(as_server),
                                                 std::move(encrypted), config_.api_admins);
  }
  return {};
}

std::string Daemon::metrics() const {
  Figures figures;
  if (engine_manager_) {
    figures.engine = engine_manager_->counters();
    figures.is_leader = engine_manager_->is_leader();
  }
  figures.store = store_->figures();
  for (const auto& [unit, difference] : agent_manager_->differences()) {
    ++figures.differences;
    if (!difference.problem.empty()) ++figures.problems;
  }
  if (view_->has_data()) {
    const registry::Cluster& cluster = view_->cluster();
    figures.cluster.emplace();
    figures.cluster->units = cluster.units.size();
    for (const auto& [unit, machines] : cluster.states) figures.cluster->states += machines.size();
    figures.cluster->machines = cluster.machines.size();
  }
  figures.connections = server_->connections();
  figures.answers = server_->answers();
  return metrics_text(figures);
}

std::vector<api::Eligibility> Daemon::explain(const std::string& unit) const {
  std::vector<api::Eligibility> machines;
  std::vector<engine::Verdict> verdicts =
      engine_manager_ ? engine_manager_->explain(unit) : engine::explain(view_->cluster(), unit);
  for (engine::Verdict& verdict : verdicts) {
    const bool is_eligible = verdict.why_not.empty();
    machines.push_back(
        {verdict.machine, is_eligible, is_eligible ? verdict.note : verdict.why_not});
  }
  return machines;
}

int Daemon::run() {
  // The agent goes to work without the store: what must not run twice is fenced, what runs is kept.
  if (base::Status status = state_engine_.start_up(); !status) return 1;
  open_registry();
  loop_.run();
  return exit_code_;
}

void Daemon::open_registry() {
  registry_->open([this](base::Status status) {
    if (status) return join_cluster();
    SPDLOG_ERROR("Failed to open the registry: {}", status.error().message);
    const bool may_pass = status.error().code == base::Errc::kUnavailable ||
                          status.error().code == base::Errc::kTimedOut;
    if (!may_pass) return end(1);
    agent_manager_->use_last_known();
    retry_ = loop_.after(kRetry, [this] { open_registry(); });
  });
}

void Daemon::join_cluster() {
  if (format_watch_) format_watch_->start([this] { on_format_change(); });
  session_->start();
  away_limit_ = loop_.after(kStorePatience, [this] {
    if (session_->state() == registry::MachineSession::State::kStarting) {
      agent_manager_->use_last_known();
    }
  });
}

void Daemon::on_format_change() {
  if (!engine_manager_) return;
  if (gate_->is_shut()) return engine_manager_->stand_down();
  engine_manager_->stand_again();
}

void Daemon::hand_over() {
  if (tls_front_) tls_front_->stop_accepting();
  server_->pause([this] { end(0); });
}

void Daemon::take_over(std::vector<api::Connection> connections, base::Micros limit) {
  server_->pause({});
  server_->adopt(std::move(connections));
  take_over_limit_ = loop_.after(limit, [this] {
    SPDLOG_WARN("The registry does not answer; serving without it");
    take_over_limit_.reset();
    server_->resume();
  });
}

void Daemon::resume_if_available() {
  if (!take_over_limit_ || !is_available()) return;
  take_over_limit_.reset();
  server_->resume();
}

void Daemon::on_session_change() {
  using SessionState = registry::MachineSession::State;
  const SessionState state = session_->state();
  if (state == SessionState::kRefused) {
    SPDLOG_CRITICAL("{}", session_->refusal());
    return end(1);
  }
  state_engine_.ensure_soon();
  resume_if_available();
  if (was_registered_ && state == SessionState::kLost) {
    SPDLOG_ERROR("Server monitor triggered: Monitor timed out before successful heartbeat");
  }
  was_registered_ = state == SessionState::kRegistered;
  if (has_said_ready_ || (state != SessionState::kRegistered && state != SessionState::kWaiting)) {
    return;
  }
  has_said_ready_ = true;
  if (state == SessionState::kRegistered) {
    drain_->undo();
    SPDLOG_INFO("Registered Machine({}) at {}", session_->self().id, session_->self().public_ip);
  }
  notify_service_manager("READY=1");
}

void Daemon::print_state() const {
  const std::string line =
      state_dump(session_->self().id, agent_manager_->units(), agent_manager_->differences()) +
      "\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
  if (!view_->has_data()) {
    SPDLOG_INFO("Machine({}): {} API connections, no view of the cluster", session_->self().id,
                server_->connections());
    return;
  }
  SPDLOG_INFO("Machine({}): {} units, {} machines, {} API connections", session_->self().id,
              view_->cluster().units.size(), view_->cluster().machines.size(),
              server_->connections());
}

void Daemon::end_orderly() {
  const bool is_wanted = config_.drain_on_sigterm.count() != 0 && is_available();
  if (!is_wanted || is_draining_) return resign_and_end();
  is_draining_ = true;
  drain_->begin(config_.drain_on_sigterm, [this] { resign_and_end(); });
}

void Daemon::resign_and_end() {
  end_limit_ = loop_.after(kEndLimit, [this] { end(0); });
  const auto renew_and_end = [this] { session_->renew([this] { end(0); }); };
  if (!engine_manager_ || !engine_manager_->is_leader()) return renew_and_end();
  engine_manager_->resign(renew_and_end);
}

// The record of this machine stays until its lease ends, and its units run on: a daemon that comes
// back in time takes everything over as it is.
void Daemon::end(int exit_code) {
  exit_code_ = exit_code;
  state_engine_.stop();
  loop_.stop();
}

}  // namespace flotilla::fleetd
