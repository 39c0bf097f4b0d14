#include "sim/machine.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace flotilla::sim {

namespace {

constexpr base::Micros kRetry = std::chrono::seconds(1);

registry::Machine record_of(const MachineOptions& options, const std::string& boot_id,
                            const std::string& nonce) {
  registry::Machine self;
  self.id = options.id;
  self.state_id = options.state_id.empty() ? "disk-" + options.id : options.state_id;
  self.boot_id = boot_id;
  self.nonce = nonce;
  self.public_ip = options.public_ip;
  self.metadata = options.metadata;
  self.version = "0.0.0";
  self.cpus = kCpus;
  return self;
}

}  // namespace

Daemon::Daemon(Link::Parts parts, base::FakeEventLoop& world, bus::UnitManager& manager,
               const MachineOptions& options, const std::string& directory,
               const std::string& boot_id, const std::string& nonce,
               std::function<void()> on_refused_call)
    : on_refused(std::move(on_refused_call)),
      started_at(world.clock().monotonic()),
      loop(world),
      link(parts, loop, options.id),
      executor(loop),
      registry(link, kPrefix),
      view(link, loop, kPrefix),
      session(link, loop, kPrefix, record_of(options, boot_id, nonce), {options.ttl, false}),
      state_engine(loop) {
  auto opened = overlord::State::open(loop, executor, directory + "/state.journal");
  if (!opened) throw std::runtime_error(opened.error().message);
  state = std::move(*opened);
  if (!options.disable_engine) {
    engine =
        std::make_unique<engine::EngineManager>(link, loop, kPrefix, session, view, state_engine);
    if (options.has_no_storm_guard) engine->believe_in_absence();
    state_engine.add(*engine);
  }
  agent = std::make_unique<agent::AgentManager>(
      registry, loop, session, manager, *state, state_engine,
      agent::AgentOptions{directory + "/run/units", boot_id,
                          options.has_no_lease_service ? "" : "/lib/fleet-lease", "/run/manager"});
  state_engine.add(*agent);
  session.on_change([this] {
    if (session.state() == registry::MachineSession::State::kRefused) on_refused();
    state_engine.ensure_soon();
  });
  if (const base::Status started = state_engine.start_up(); !started) {
    throw std::runtime_error(started.error().message);
  }
  open_registry();
}

Daemon::~Daemon() { state_engine.stop(); }

void Daemon::open_registry() {
  registry.open([this](const base::Status& status) {
    if (status) return session.start();
    retry_ = loop.after(kRetry, [this] { open_registry(); });
  });
}

Machine::Machine(Link::Parts parts, base::FakeEventLoop& world, MachineOptions options,
                 std::string directory, std::function<void(const std::string&)> on_unit_changed)
    : parts_(parts),
      world_(world),
      options_(std::move(options)),
      directory_(std::move(directory)),
      tell_(std::move(on_unit_changed)) {}

Machine::~Machine() = default;

void Machine::power_on() {
  if (is_on()) return;
  say("is switched on");
  ++boots_;
  std::filesystem::create_directories(directory_ + "/run");
  manager_loop_ = std::make_unique<MachineLoop>(world_);
  manager_ = std::make_unique<bus::FakeUnitManager>(*manager_loop_);
  manager_->add_oneshots("job", std::chrono::seconds(3));
  // Something that "frail" units need is missing on some machines.
  const bool is_bad = options_.id.back() % 3 == 0;
  if (is_bad) manager_->set_start_result(kFrail, bus::JobResult::kFailed);
  subscription_ = manager_->subscribe(*this);
  if (!options_.has_no_lease_service) {
    lease_service_ = std::make_unique<LeaseService>(*manager_loop_, *manager_,
                                                    directory_ + "/run/units", boot_id());
  }
  start_daemon();
}

void Machine::power_off() {
  say("is switched off");
  kill_daemon();
  const std::set<std::string> before = std::exchange(touched_, {});
  subscription_.reset();
  lease_service_.reset();
  manager_.reset();
  manager_loop_.reset();
  std::filesystem::remove_all(directory_ + "/run");
  for (const std::string& unit : before) tell_(unit);
}

void Machine::start_daemon() {
  if (!is_on() || daemon_) return;
  say("starts a daemon");
  disturb();
  daemon_ = std::make_unique<Daemon>(parts_, world_, *manager_, options_, directory_, boot_id(),
                                     "nonce-" + options_.id + "-" + std::to_string(++starts_),
                                     [this] { end_refused(); });
  if (options_.has_stopped_boottime) daemon_->loop.stop_boottime();
}

// The program ends, and the service manager starts it again.
void Machine::end_refused() {
  ++refusals_;
  const auto again = [this, which = daemon_.get()] {
    if (daemon_.get() != which) return;
    kill_daemon();
    start_daemon();
  };
  daemon_->end_limit =
      daemon_->loop.after(std::chrono::seconds(1), [this, again] { world_.post(again); });
}

void Machine::kill_daemon() {
  say("loses its daemon");
  disturb();
  daemon_.reset();
}

void Machine::say(const char* what) const {
  SPDLOG_INFO("-- {} ms: {} {}", world_.clock().monotonic().since_epoch.count() / 1000, options_.id,
              what);
}

// Disturbances that follow each other closely are one.
void Machine::disturb() {
  const base::MonotonicTime now = world_.clock().monotonic();
  if (now - last_disturbed_ > std::chrono::seconds(15)) disturbed_from_ = now;
  last_disturbed_ = now;
}

void Machine::stop_daemon() {
  if (!daemon_) return;
  if (!daemon_->engine) return kill_daemon();
  const auto end = [this, which = daemon_.get()] {
    // Not from inside: the call ends the daemon.
    world_.post([this, which] {
      if (daemon_.get() == which) kill_daemon();
    });
  };
  daemon_->end_limit = daemon_->loop.after(std::chrono::seconds(2), end);
  daemon_->engine->resign(end);
}

void Machine::pause() {
  if (!is_on()) return;
  say("is paused");
  disturb();
  manager_loop_->pause();
  if (daemon_) daemon_->loop.pause();
}

void Machine::resume() {
  if (!is_on()) return;
  say("goes on");
  disturb();
  manager_loop_->resume();
  if (daemon_) daemon_->loop.resume();
  for (const std::string& unit : touched_) tell_(unit);
}

void Machine::cut() {
  say("is cut off");
  disturb();
  parts_.network.is_cut = true;
  if (daemon_) daemon_->link.break_watches(std::chrono::seconds(3));
}

void Machine::mend() {
  say("is reached again");
  parts_.network.is_cut = false;
  disturb();
}

void Machine::on_unit_changed(const bus::UnitChange& change) {
  touched_.insert(change.name);
  if (lease_service_) lease_service_->on_unit_changed(change.name);
  tell_(change.name);
}

std::string Machine::text_of(const std::string& unit) const {
  std::ifstream in(directory_ + "/run/units/" + unit);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool Machine::runs(const std::string& unit) const {
  if (!manager_) return false;
  const std::string active = manager_->state_of(unit).active_state;
  return active == "active" || active == "activating";
}

}  // namespace flotilla::sim
