// What the agent does over each service manager that there is: the fake one of the unit tests,
// flotilla-init, and the distribution's systemd (systemd_namespace.h; skipped where there is none).
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>

#include "agent/agent_manager.h"
#include "bus/fake_unit_manager.h"
#include "bus/poll_event_loop.h"
#include "bus/systemd1_client.h"
#include "harness/system_test.h"
#include "overlord/executor.h"
#include "registry/cluster_view.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/raw_record.h"
#include "store/memory_store.h"
#include "systemd_namespace.h"

namespace flotilla::system_test {
namespace {

using registry::TargetState;

constexpr const char* kPrefix = "/flotilla";
constexpr const char* kForeign = "[Service]\nExecStart=/bin/sleep 10000\n";

// A fact need not come with an event of the loop: it is looked at every ten milliseconds.
bool run_until(bus::PollEventLoop& loop, const std::function<bool()>& fact) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!fact()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    loop.turn(std::chrono::milliseconds(10));
  }
  return true;
}

// The manager's answer to a call that a test waits for.
template <typename T>
std::optional<base::Result<T>> ask(bus::PollEventLoop& loop,
                                   const std::function<void(bus::Done<T>)>& call) {
  auto answer = std::make_shared<std::optional<base::Result<T>>>();
  call([answer](base::Result<T> result) { answer->emplace(std::move(result)); });
  run_until(loop, [&] { return answer->has_value(); });
  return *answer;
}

// Worlds: a service manager, the directory where the agent writes unit files, and a foreign.service
// that is none of the agent's.
class FakeWorld {
 public:
  static bool is_there() { return true; }
  bool start() {
    manager_.add_unit_file("foreign.service");
    return true;
  }
  bus::UnitManager& manager() { return manager_; }
  std::string units() const { return root_ / "units"; }
  // Before the unit is there.
  void expect_install(const std::string& unit) { manager_.add_file(units() + "/" + unit, true); }
  bool is_enabled(const std::string& unit) { return manager_.is_enabled(unit); }
  void crash(const std::string& unit) { manager_.end_process(unit, true); }
  bus::PollEventLoop& loop() { return loop_; }

 private:
  TemporaryRoot root_;
  bus::PollEventLoop loop_;
  bus::FakeUnitManager manager_{loop_};
};

class RealWorld {
 public:
  bus::UnitManager& manager() { return *manager_; }
  void expect_install(const std::string&) {}
  bool is_enabled(const std::string& unit) {
    const auto properties = ask<bus::Properties>(
        loop_, [&](bus::Done<bus::Properties> done) { manager_->get_properties(unit, done); });
    return properties && *properties &&
           bus::string_property(**properties, "UnitFileState") == "enabled-runtime";
  }
  void crash(const std::string& unit) {
    const auto killed = ask<void>(loop_, [&](bus::Done<void> done) {
      manager_->kill(unit, bus::KillWho::kMain, SIGKILL, done);
    });
    EXPECT_TRUE(killed && *killed);
  }
  bus::PollEventLoop& loop() { return loop_; }

 protected:
  bool connect(const std::string& socket) {
    bus::Systemd1ClientOptions options;
    options.connection.socket_path = socket;
    manager_ = std::make_unique<bus::Systemd1Client>(loop_, options);
    return run_until(loop_, [&] { return manager_->is_connected(); });
  }

 private:
  bus::PollEventLoop loop_;
  std::unique_ptr<bus::Systemd1Client> manager_;
};

class FlotillaWorld : public RealWorld {
 public:
  static bool is_there() { return true; }
  bool start() {
    machine_.add_unit("foreign.service", kForeign);
    machine_.start();
    return connect(machine_.root() / "run/systemd/private");
  }
  std::string units() const { return machine_.root() / "run/fleet/units"; }

 private:
  Machine machine_;
};

class SystemdWorld : public RealWorld {
 public:
  static bool is_there() { return SystemdNamespace::script() != nullptr; }
  bool start() {
    root_.write("units/foreign.service", kForeign);
    if (!systemd_.start()) return false;
    // Read from standard input: the namespace need not see the source tree.
    relay_ = std::make_unique<BackgroundCommand>(
        std::vector<std::string>{
            "sh", "-c", "exec nsenter -t \"$0\" -a python3 - \"$1\" /run/systemd/private <\"$2\"",
            std::to_string(systemd_.first_process()), root_ / "bus",
            FLOTILLA_SOURCE_DIR "/tests/system/socket_relay.py"},
        root_ / "relay.log");
    return wait_until([&] { return root_.has("bus"); }) && connect(root_ / "bus");
  }
  std::string units() const { return root_ / "fleet-units"; }

 private:
  TemporaryRoot root_;
  // Ends by the namespace's end: killed before, what nsenter leaves would hold the namespace.
  std::unique_ptr<BackgroundCommand> relay_;
  SystemdNamespace systemd_{root_};
};

// The agent's half of one fleetd; killed by destroying it.
struct Daemon {
  Daemon(store::Store& store, base::EventLoop& loop, bus::UnitManager& manager,
         const std::string& units, const std::string& state_file, int life)
      : executor(loop),
        registry(store, kPrefix),
        engine(loop),
        session(store, loop, kPrefix, self(life), {std::chrono::seconds(30), true}) {
    auto opened = overlord::State::open(loop, executor, state_file);
    EXPECT_TRUE(opened);
    state = std::move(*opened);
    agent = std::make_unique<agent::AgentManager>(registry, loop, session, manager, *state, engine,
                                                  agent::AgentOptions{units, "boot"});
    engine.add(*agent);
    session.on_change([this] { engine.ensure_soon(); });
    session.start();
    EXPECT_TRUE(engine.start_up());
  }
  static registry::Machine self(int life) {
    registry::Machine machine;
    machine.id = "m1";
    machine.nonce = std::to_string(life);
    return machine;
  }

  overlord::InlineExecutor executor;
  registry::Registry registry;
  overlord::StateEngine engine;
  registry::MachineSession session;
  std::unique_ptr<overlord::State> state;
  std::unique_ptr<agent::AgentManager> agent;
};

struct Reloads final : bus::UnitManagerListener {
  void on_reloaded() override { ++count; }
  int count = 0;
};

template <typename World>
class AgentSuite : public testing::Test {
 protected:
  void SetUp() override {
    if (!World::is_there()) {
      GTEST_SKIP() << "FLOTILLA_SYSTEMD_NS names no script, or this is not root";
    }
    world_ = std::make_unique<World>();
    ASSERT_TRUE(world_->start());
    store_ = store::make_memory_store(loop());
    view_ = std::make_unique<registry::ClusterView>(*store_, loop(), kPrefix);
    view_->open();
    watch_ = manager().subscribe(reloads_);
    begin();
  }
  void TearDown() override {
    daemon_.reset();
    watch_.reset();
  }

  bus::PollEventLoop& loop() { return world_->loop(); }
  bus::UnitManager& manager() { return world_->manager(); }
  bool soon(const std::function<bool()>& fact) { return run_until(loop(), fact); }
  void begin() {
    daemon_ = std::make_unique<Daemon>(*store_, loop(), manager(), world_->units(), own_ / "state",
                                       ++lives_);
  }

  void put(std::string key, std::optional<std::string> value) {
    registry::write_raw_record(*store_, std::move(key), std::move(value));
  }
  void schedule(const std::string& unit, TargetState target, int seconds = 10'000,
                const std::string& more = "") {
    registry::ScheduleEntry entry;
    entry.text = "[Service]\nExecStart=/bin/sleep " + std::to_string(seconds) + "\n" + more;
    const auto options = unit::parse_fleet_file(entry.text);
    ASSERT_TRUE(options);
    entry.hash = hashes_[unit] = unit::hash_hex(*options);
    entry.target = target;
    put(keys_.schedule("m1", unit), registry::encode(entry));
  }
  void unschedule(const std::string& unit) { put(keys_.schedule("m1", unit), std::nullopt); }

  const registry::UnitState* reported(const std::string& unit) const {
    const auto of_unit = view_->cluster().states.find(unit);
    if (of_unit == view_->cluster().states.end()) return nullptr;
    const auto here = of_unit->second.find("m1");
    return here == of_unit->second.end() ? nullptr : &here->second;
  }
  // What the cluster is told of the unit, as it was scheduled last.
  std::string state_of(const std::string& unit) const {
    const registry::UnitState* state = reported(unit);
    if (state == nullptr) return "none";
    if (state->hash != hashes_.at(unit)) return "of another text";
    return state->load_state.str() + "/" + state->active_state.str() + "/" +
           state->sub_state.str() + (state->launched ? " launched" : " loaded");
  }
  bool reaches(const std::string& unit, const std::string& state) {
    const bool does = soon([&] { return state_of(unit) == state; });
    EXPECT_EQ(state_of(unit), state) << unit;
    return does;
  }
  // "loaded/active" as the manager itself says.
  std::string shown(const std::string& unit) {
    const auto states = ask<std::vector<bus::UnitState>>(
        loop(), [&](auto done) { manager().list_units_by_names({unit}, done); });
    if (!states || !*states || (*states)->size() != 1) return "no answer";
    return (*states)->front().load_state + "/" + (*states)->front().active_state;
  }
  bool has_file(const std::string& unit) const {
    return std::filesystem::exists(world_->units() + "/" + unit);
  }
  void start_foreign() {
    const auto result = ask<bus::JobResult>(loop(), [&](bus::Done<bus::JobResult> done) {
      manager().start("foreign.service", bus::JobMode::kReplace, done);
    });
    ASSERT_TRUE(result && *result && **result == bus::JobResult::kDone);
  }

  TemporaryRoot own_;
  std::unique_ptr<World> world_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<registry::ClusterView> view_;
  Reloads reloads_;
  base::RegistrationPtr watch_;
  std::unique_ptr<Daemon> daemon_;
  registry::Keys keys_{kPrefix};
  std::map<std::string, std::string> hashes_;
  int lives_ = 0;
};

using Worlds = testing::Types<FakeWorld, FlotillaWorld, SystemdWorld>;
TYPED_TEST_SUITE(AgentSuite, Worlds);

TYPED_TEST(AgentSuite, AUnitGoesThroughItsWholeLifeAndLeavesNothing) {
  this->start_foreign();
  this->schedule("a.service", TargetState::kLaunched);
  ASSERT_TRUE(this->reaches("a.service", "loaded/active/running launched"));
  EXPECT_TRUE(this->has_file("a.service"));
  this->schedule("a.service", TargetState::kLoaded);
  ASSERT_TRUE(this->reaches("a.service", "loaded/inactive/dead loaded"));
  EXPECT_EQ(this->shown("a.service"), "loaded/inactive");
  this->schedule("a.service", TargetState::kLaunched);
  ASSERT_TRUE(this->reaches("a.service", "loaded/active/running launched"));
  this->unschedule("a.service");
  ASSERT_TRUE(this->reaches("a.service", "none"));
  EXPECT_FALSE(this->has_file("a.service"));
  EXPECT_TRUE(this->soon([&] { return this->shown("a.service") == "not-found/inactive"; }));
  EXPECT_EQ(this->reloads_.count, 0) << "neither a new unit nor one that goes needs a reload";
  EXPECT_EQ(this->shown("foreign.service"), "loaded/active");
}

TYPED_TEST(AgentSuite, AnInstallSectionIsEnabledAsLongAsTheUnitIsLoaded) {
  const std::string install = "\n[Install]\nWantedBy=multi-user.target\n";
  for (const char* unit : {"a.service", "b.service"}) {
    this->world_->expect_install(unit);
    this->schedule(unit, TargetState::kLoaded, 10'000, install);
  }
  for (const char* unit : {"a.service", "b.service"}) {
    ASSERT_TRUE(this->reaches(unit, "loaded/inactive/dead loaded"));
    EXPECT_TRUE(this->soon([&] { return this->world_->is_enabled(unit); })) << unit;
  }
  this->unschedule("a.service");
  ASSERT_TRUE(this->reaches("a.service", "none"));
  EXPECT_FALSE(this->world_->is_enabled("a.service"));
  EXPECT_TRUE(this->world_->is_enabled("b.service"));
}

TYPED_TEST(AgentSuite, FilesAreReadAnewOnceForAllThatHaveChanged) {
  for (const char* unit : {"a.service", "b.service", "c.service"}) {
    this->schedule(unit, TargetState::kLaunched);
    ASSERT_TRUE(this->reaches(unit, "loaded/active/running launched"));
  }
  EXPECT_EQ(this->reloads_.count, 0);
  const uint64_t since = this->reported("c.service")->active_enter_usec;
  this->schedule("a.service", TargetState::kLaunched, 9'999);
  this->schedule("b.service", TargetState::kLoaded, 9'999);
  ASSERT_TRUE(this->reaches("a.service", "loaded/active/running launched"));
  ASSERT_TRUE(this->reaches("b.service", "loaded/inactive/dead loaded"));
  EXPECT_TRUE(this->soon([&] { return this->reloads_.count > 0; }));
  EXPECT_LE(this->reloads_.count, 2);
  EXPECT_TRUE(this->soon([&] { return this->reported("c.service")->active_enter_usec == since; }))
      << "nobody touched it";
  EXPECT_EQ(this->state_of("c.service"), "loaded/active/running launched");
}

TYPED_TEST(AgentSuite, ADeathIsHeardOfAndNothingIsStartedAgain) {
  this->schedule("a.service", TargetState::kLaunched);
  ASSERT_TRUE(this->reaches("a.service", "loaded/active/running launched"));
  this->world_->crash("a.service");
  ASSERT_TRUE(this->reaches("a.service", "loaded/failed/failed launched"));
  // Another pass changes nothing of that.
  this->schedule("b.service", TargetState::kLaunched);
  ASSERT_TRUE(this->reaches("b.service", "loaded/active/running launched"));
  EXPECT_EQ(this->state_of("a.service"), "loaded/failed/failed launched");
  this->unschedule("a.service");
  ASSERT_TRUE(this->reaches("a.service", "none"));
  EXPECT_TRUE(this->soon([&] { return this->shown("a.service") == "not-found/inactive"; }));
}

TYPED_TEST(AgentSuite, ADaemonThatComesBackTouchesNothingThatIsAsItShouldBe) {
  this->start_foreign();
  for (const char* unit : {"a.service", "b.service"}) {
    this->schedule(unit, TargetState::kLaunched);
    ASSERT_TRUE(this->reaches(unit, "loaded/active/running launched"));
  }
  const uint64_t since = this->reported("a.service")->active_enter_usec;
  this->daemon_.reset();
  this->unschedule("b.service");
  this->schedule("c.service", TargetState::kLaunched);
  this->begin();
  ASSERT_TRUE(this->reaches("c.service", "loaded/active/running launched"));
  ASSERT_TRUE(this->reaches("b.service", "none"));
  ASSERT_TRUE(this->reaches("a.service", "loaded/active/running launched"));
  EXPECT_EQ(this->reported("a.service")->active_enter_usec, since);
  EXPECT_EQ(this->shown("foreign.service"), "loaded/active");
}

TYPED_TEST(AgentSuite, ManyUnitsComeAndGoTogether) {
  constexpr int kUnits = 60;
  const auto name = [](int i) { return "u" + std::to_string(i) + ".service"; };
  for (int i = 0; i < kUnits; ++i) this->schedule(name(i), TargetState::kLaunched);
  for (int i = 0; i < kUnits; ++i) {
    ASSERT_TRUE(this->reaches(name(i), "loaded/active/running launched"));
  }
  for (int i = 0; i < kUnits; ++i) this->unschedule(name(i));
  for (int i = 0; i < kUnits; ++i) ASSERT_TRUE(this->reaches(name(i), "none"));
  EXPECT_TRUE(std::filesystem::is_empty(this->world_->units()));
  EXPECT_EQ(this->reloads_.count, 0);
}

}  // namespace
}  // namespace flotilla::system_test
